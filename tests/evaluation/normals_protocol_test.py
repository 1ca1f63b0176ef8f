"""Tests of surface normal errors against angles that were put in."""

import math

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.evaluation import normals_protocol


def _turned(degrees, scale=1.0):
  """Vectors that make the given angles with (0, 0, -1): [1, n, 3]."""
  a = np.radians(np.array(degrees, np.float64))
  return (scale * np.stack([np.sin(a), np.zeros_like(a), -np.cos(a)], -1)[np.newaxis]).astype(
    np.float32
  )


def _facing(count):
  return _turned(np.zeros(count))


class NormalsProtocolTest(parameterized.TestCase):
  def test_known_angles(self):
    protocol = normals_protocol.NormalsProtocol()
    degrees = [0.0, 10.0, 20.0, 25.0, 60.0]
    protocol.update({"normals": _facing(5)}, {"normals": _turned(degrees, scale=3.0)})
    result = protocol.result()
    self.assertAlmostEqual(result["mean"], 23.0, places=4)
    self.assertAlmostEqual(result["median"], 20.0, delta=1e-3)
    self.assertAlmostEqual(result["rmse"], math.sqrt((100 + 400 + 625 + 3600) / 5), places=4)
    self.assertAlmostEqual(result["within_11.25"], 40.0)
    self.assertAlmostEqual(result["within_22.5"], 60.0)
    self.assertAlmostEqual(result["within_30"], 80.0)

  def test_pooled_median_equals_numpy_on_random_vectors(self):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=[7, 9, 10, 3])
    truth /= np.linalg.norm(truth, axis=-1, keepdims=True)
    answer = truth + rng.normal(size=truth.shape) * rng.uniform(0.05, 1, [7, 1, 1, 1])
    cos = np.sum(truth * answer, -1) / np.linalg.norm(answer, axis=-1)
    expected = np.degrees(np.arccos(np.clip(cos, -1, 1)))
    protocol = normals_protocol.NormalsProtocol()
    for i in range(7):
      protocol.update({"normals": truth[i : i + 1]}, {"normals": answer[i : i + 1]})
    result = protocol.result()
    self.assertAlmostEqual(result["median"], np.median(expected), delta=1e-3)
    self.assertAlmostEqual(result["mean"], expected.mean(), places=6)
    self.assertAlmostEqual(result["within_22.5"], 100 * np.mean(expected < 22.5))

  @parameterized.named_parameters(
    # image 1: 40°; image 2: 10°, 20°, 30°.
    ("pixel", "pixel", 25.0, 25.0),
    ("image", "image", 30.0, 30.0),
  )
  def test_averages(self, average, mean, median):
    protocol = normals_protocol.NormalsProtocol(average=average)
    missing = np.array([[[0, 0, -1], [0, 0, 0], [0, 0, 0]]], np.float32)
    protocol.update({"normals": missing}, {"normals": _turned([40.0, 90.0, 90.0])})
    protocol.update({"normals": _facing(3)}, {"normals": _turned([10.0, 20.0, 30.0])})
    self.assertAlmostEqual(protocol.result()["mean"], mean, places=4)
    self.assertAlmostEqual(protocol.result()["median"], median, delta=1e-3)

  def test_opposite_and_absent_directions(self):
    protocol = normals_protocol.NormalsProtocol()
    answer = np.array([[[0, 0, 1], [0, 0, 0]]], np.float32)
    protocol.update({"normals": _facing(2)}, {"normals": answer})
    self.assertAlmostEqual(protocol.result()["mean"], (180 + 90) / 2)

  def test_small_angles_keep_their_digits(self):
    angle = normals_protocol.angles(
      _facing(1).astype(np.float64), _turned([0.01]).astype(np.float64)
    )
    np.testing.assert_allclose(angle, [[0.01]], rtol=1e-5)

  def test_errors(self):
    with self.assertRaisesRegex(ValueError, "NormalsProtocol.average must be one of"):
      normals_protocol.NormalsProtocol(average="median")
    protocol = normals_protocol.NormalsProtocol()
    with self.assertRaisesRegex(ValueError, "no labelled pixel"):
      protocol.result()
    with self.assertRaisesRegex(ValueError, r"\[..., height, width, 3\]"):
      protocol.update({"normals": np.zeros([2, 2, 1])}, {"normals": np.zeros([2, 2, 1])})


if __name__ == "__main__":
  absltest.main()
