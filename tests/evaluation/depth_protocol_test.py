"""Tests of depth errors against numbers worked out by hand."""

import math

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.evaluation import depth_protocol


def _image(values):
  return np.array(values, np.float32).reshape(1, -1, 1)


def _run(protocol, images):
  for truth, answer in images:
    protocol.update({"depth": _image(truth)}, {"depth": _image(answer)})
  return protocol.result()


class DepthProtocolTest(parameterized.TestCase):
  def test_one_image_by_hand(self):
    # |e| = 1, 1, 2; ratios 2, 1.5, 1.5.
    result = _run(depth_protocol.DepthProtocol(alignments=["none"]), [([1, 2, 4], [2, 3, 6])])
    self.assertAlmostEqual(result["abs_rel"], (1 + 0.5 + 0.5) / 3)
    self.assertAlmostEqual(result["sq_rel"], (1 / 1 + 1 / 2 + 4 / 4) / 3)
    self.assertAlmostEqual(result["rmse"], math.sqrt((1 + 1 + 4) / 3))
    logs = [math.log(2), math.log(1.5), math.log(1.5)]
    self.assertAlmostEqual(result["rmse_log"], math.sqrt(sum(x * x for x in logs) / 3))
    self.assertAlmostEqual(result["delta_1"], 0.0)
    self.assertAlmostEqual(result["delta_2"], 100 * 2 / 3)  # 1.5 < 1.5625
    self.assertAlmostEqual(result["delta_3"], 100 * 2 / 3)  # 2 > 1.953125

  def test_median_scaling_removes_a_factor(self):
    result = _run(depth_protocol.DepthProtocol(), [([1, 2, 4], [2, 4, 8])])
    self.assertAlmostEqual(result["abs_rel"], 1.0)
    for key in ("abs_rel", "sq_rel", "rmse", "rmse_log"):
      self.assertAlmostEqual(result["scaled_" + key], 0.0)
    self.assertAlmostEqual(result["scaled_delta_1"], 100.0)

  def test_median_scaling_by_hand(self):
    # medians 2 and 1: the answer becomes 4, 2, 2.
    result = _run(depth_protocol.DepthProtocol(alignments=["median"]), [([1, 2, 4], [2, 1, 1])])
    self.assertAlmostEqual(result["scaled_abs_rel"], (3 + 0 + 0.5) / 3)

  def test_median_scaling_is_per_image_over_labelled_pixels(self):
    images = [([1, 2, 4, 0], [2, 4, 8, 1000]), ([3, 5], [0.3, 0.5])]
    result = _run(depth_protocol.DepthProtocol(), images)
    self.assertAlmostEqual(result["scaled_abs_rel"], 0.0, places=6)

  @parameterized.named_parameters(
    # image 1: one pixel, error 3, abs rel 3; image 2: three pixels, errors 1, abs rel 0.5.
    ("image", "image", (3 + 0.5) / 2, (3 + 1) / 2),
    ("pixel", "pixel", (3 + 1.5) / 4, math.sqrt((9 + 3) / 4)),
  )
  def test_averages(self, average, abs_rel, rmse):
    protocol = depth_protocol.DepthProtocol(average=average)
    result = _run(protocol, [([1, 0, 0], [4, 1, 1]), ([2, 2, 2], [1, 3, 3])])
    self.assertAlmostEqual(result["abs_rel"], abs_rel)
    self.assertAlmostEqual(result["rmse"], rmse)
    self.assertEqual(protocol.num_images, 2)

  def test_pixels_outside_the_range_do_not_count_and_predictions_are_clipped(self):
    protocol = depth_protocol.DepthProtocol(min_depth=1.0, max_depth=10.0, alignments=["none"])
    # 0 (missing), 0.5, 10 and 20 are out; 5 -> clipped 10, 4 -> clipped 1.
    result = _run(protocol, [([0, 0.5, 10, 20, 5, 4], [np.nan, 9, 9, 9, 30, -2])])
    self.assertAlmostEqual(result["abs_rel"], (5 / 5 + 3 / 4) / 2)

  @parameterized.parameters(
    # The rows and columns of 375 x 1242 that public evaluation programs keep.
    ("garg", slice(153, 371), slice(44, 1197)),
    ("eigen", slice(124, 342), slice(44, 1197)),
    ("none", slice(0, 375), slice(0, 1242)),
  )
  def test_crops(self, crop, rows, columns):
    protocol = depth_protocol.DepthProtocol(crop=crop, alignments=["none"])
    truth = np.full([1, 375, 1242, 1], 10.0, np.float32)
    answer = 2 * truth
    answer[:, rows, columns] = 10.0
    protocol.update({"depth": truth}, {"depth": answer})
    self.assertEqual(protocol.result()["abs_rel"], 0.0)
    answer[:, rows.start, columns.start] = 20.0
    protocol.reset()
    protocol.update({"depth": truth}, {"depth": answer})
    self.assertGreater(protocol.result()["abs_rel"], 0.0)
    self.assertEqual(crop in protocol.description, crop != "none")

  def test_grouping_into_batches_does_not_matter(self):
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.5, 9.0, [4, 2, 6, 5, 1]).astype(np.float32)
    answer = (truth * rng.uniform(0.7, 1.4, truth.shape)).astype(np.float32)
    whole, parts = depth_protocol.DepthProtocol(), depth_protocol.DepthProtocol()
    whole.update({"depth": truth}, {"depth": answer})
    parts.update({"depth": truth[:1]}, {"depth": answer[:1]})
    parts.update({"depth": truth[1:]}, {"depth": answer[1:]})
    self.assertEqual(whole.result(), parts.result())
    self.assertEqual(whole.num_images, 8)
    whole.reset()
    self.assertEqual(whole.num_images, 0)

  def test_result_without_labels_and_bad_predictions_raise(self):
    protocol = depth_protocol.DepthProtocol()
    protocol.update({"depth": _image([0, 0])}, {"depth": _image([1, 1])})
    with self.assertRaisesRegex(ValueError, "no labelled pixel"):
      protocol.result()
    with self.assertRaisesRegex(ValueError, "1 NaN or infinite of 2"):
      protocol.update({"depth": _image([1, 1])}, {"depth": _image([1, np.nan])})
    with self.assertRaisesRegex(ValueError, "must be equal"):
      protocol.update({"depth": _image([1, 1])}, {"depth": _image([1])})

  @parameterized.parameters(
    ({"average": "sample"}, "DepthProtocol.average must be one of .*'sample'"),
    ({"min_depth": 0.0}, "min_depth=0.0"),
    ({"alignments": ["least_squares"]}, "least_squares"),
    ({"alignments": []}, "alignments must be some of"),
    ({"crop": "center"}, "crop must be one of .*'center'"),
  )
  def test_bad_arguments(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      depth_protocol.DepthProtocol(**arguments)

  def test_metrics_describe_the_result(self):
    protocol = depth_protocol.DepthProtocol(max_depth=10, average="pixel")
    protocol.update({"depth": _image([1])}, {"depth": _image([1])})
    self.assertEqual(list(protocol.result()), list(protocol.metrics))
    self.assertFalse(protocol.metrics["abs_rel"].higher_is_better)
    self.assertTrue(protocol.metrics["scaled_delta_1"].higher_is_better)
    self.assertIn("0.001 and 10 m", protocol.description)
    self.assertIn("pixels of all images pooled", protocol.description)


if __name__ == "__main__":
  absltest.main()
