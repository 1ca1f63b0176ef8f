"""Tests of peers/mapping.py."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest

import gin
from tests.peers import fake_server
from tf_taskology.peers import mapping, peer

_OUTPUTS = {"depth": mapping.ForeignOutput("d")}


class MappingTest(absltest.TestCase):
  def test_scaling(self):
    made = mapping.Mapping(_OUTPUTS, scale=1 / 255, mean=(0.5, 0.0, 0.0), std=(0.5, 1.0, 2.0))
    encoded = made.encode(np.full([1, 2, 2, 3], 255, np.uint8))
    self.assertEqual(encoded.dtype, np.float32)
    np.testing.assert_allclose(encoded[0, 0, 0], [1.0, 1.0, 0.5], rtol=1e-6)

  def test_layout_and_channel_order(self):
    image = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    made = mapping.Mapping(_OUTPUTS, dtype="uint8", layout="NCHW", reverse_channels=True)
    encoded = made.encode(image)
    self.assertEqual(encoded.shape, (2, 3, 4, 5))
    np.testing.assert_array_equal(encoded[:, 0], image[..., 2])

  def test_each_image_of_a_pair_by_itself(self):
    image = np.arange(2 * 4 * 5 * 6, dtype=np.uint8).reshape(2, 4, 5, 6)
    made = mapping.Mapping(_OUTPUTS, reverse_channels=True, mean=(1.0, 2.0, 3.0))
    halves = [made.encode(half) for half in (image[..., :3], image[..., 3:])]
    np.testing.assert_array_equal(made.encode(image), np.concatenate(halves, axis=-1))

  def test_size_in_uint8(self):
    image = np.zeros([1, 4, 4, 3], np.uint8)
    image[:, :, 2:] = 101
    encoded = mapping.Mapping(_OUTPUTS, dtype="uint8", size=(8, 8)).encode(image)
    self.assertEqual(encoded.dtype, np.uint8)
    np.testing.assert_array_equal(encoded[0, 0, :, 0], [0, 0, 0, 50, 101, 101, 101, 101])

  def test_disparity_becomes_depth(self):
    output = mapping.ForeignOutput("disparity", scale=0.5, offset=0.0, invert=True)
    depth = output(np.array([[[4.0, 1.0, 0.0]]], np.float16))
    self.assertEqual(depth.shape, (1, 1, 3, 1))
    np.testing.assert_allclose(depth.ravel(), [0.5, 2.0, 0.0])

  def test_axes_of_normals(self):
    output = mapping.ForeignOutput("n", layout="NCHW", channels=(2, 0, 1), scale=(1.0, -1.0, 1.0))
    value = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    np.testing.assert_allclose(output(value).ravel(), [3.0, -1.0, 2.0])

  def test_squeeze(self):
    output = mapping.ForeignOutput("d", squeeze=(1,))
    self.assertEqual(output(np.zeros([2, 1, 3, 4, 1])).shape, (2, 3, 4, 1))

  def test_the_example_in_gin(self):
    self.addCleanup(gin.clear_config)
    example = mapping.__doc__[mapping.__doc__.index("  from tf_taskology") :]
    lines = ["from __gin__ import dynamic_registration", *example.strip().splitlines()]
    gin.parse_config([line.strip() for line in lines])
    made = gin.get_configurable(mapping.Mapping)()
    self.assertEqual(made.image_input, "input_1")
    np.testing.assert_allclose(made.encode(np.full([1, 1, 1, 3], 255, np.uint8)), 1.0, rtol=1e-6)
    decoded = made.decode({"disparity": np.full([1, 1, 1], 4.0)})
    self.assertEqual(decoded["depth"].ravel().tolist(), [0.25])

  def test_bad_values_are_named(self):
    with self.assertRaisesRegex(ValueError, "Mapping.layout must be one of .*Received: 'HWC'"):
      mapping.Mapping(_OUTPUTS, layout="HWC")
    with self.assertRaisesRegex(ValueError, "'uint8' or 'float32'. Received: 'float16'"):
      mapping.Mapping(_OUTPUTS, dtype="float16")
    with self.assertRaisesRegex(ValueError, "leave scale, mean and std alone"):
      mapping.Mapping(_OUTPUTS, dtype="uint8", scale=2.0)

  def test_missing_outputs_are_named(self):
    with self.assertRaisesRegex(peer.WrongSignature, r"which tensors are \['depth'\]"):
      mapping.check_covers("far", fake_server.DEPTH, mapping.Mapping({}))

  def test_defaults_are_tensorflow_servings(self):
    self.assertEqual(
      mapping.Mapping(_OUTPUTS).signature, tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    )


if __name__ == "__main__":
  absltest.main()
