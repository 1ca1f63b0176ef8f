"""Tests of intersection over union against numbers worked out by hand."""

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.evaluation import segmentation_protocol
from tf_taskology.tasks import road_classes


def _update(protocol, truth, answer, num_classes):
  """One image of one row: class numbers in place of logits."""
  labels = np.array(truth, np.uint8).reshape(1, 1, 1, -1, 1)
  logits = 5.0 * np.eye(num_classes, dtype=np.float32)[answer].reshape(1, 1, 1, -1, num_classes)
  protocol.update({"segmentation": labels}, {"segmentation": logits})


def _result(truth, answer, num_classes=4, **kwargs):
  protocol = segmentation_protocol.SegmentationProtocol(num_classes=num_classes, **kwargs)
  _update(protocol, truth, answer, num_classes)
  return protocol.result()


class SegmentationProtocolTest(parameterized.TestCase):
  # Class 0: hits 2, union 4. Class 1: hits 1, union 2. Class 2: never labelled, predicted once.
  # Class 3: absent. The last pixel has no label.
  _TRUTH, _ANSWER = [0, 0, 1, 1, 0, 255], [0, 0, 1, 0, 2, 3]

  @parameterized.parameters(
    ("leave_out", (2 / 4 + 1 / 2 + 0) / 3),
    ("zero", (2 / 4 + 1 / 2 + 0 + 0) / 4),
    ("one", (2 / 4 + 1 / 2 + 0 + 1) / 4),
  )
  def test_conventions_for_absent_classes(self, absent, miou):
    result = _result(self._TRUTH, self._ANSWER, absent_classes=absent)
    self.assertAlmostEqual(result["miou"], 100 * miou)
    self.assertAlmostEqual(result["iou_class 0"], 100 * 2 / 4)
    self.assertAlmostEqual(result["iou_class 1"], 100 * 1 / 2)
    self.assertAlmostEqual(result["iou_class 2"], 0.0)  # predicted but never there
    expected = {"leave_out": None, "zero": 0.0, "one": 100.0}[absent]
    self.assertEqual(result.get("iou_class 3"), expected)
    self.assertAlmostEqual(result["accuracy"], 100 * 3 / 5)

  @parameterized.parameters(("leave_out", None), ("zero", 0.0), ("one", 100.0))
  def test_group_that_is_absent(self, absent, expected):
    groups = {"rare": [3], "some": [1, 3]}
    result = _result(self._TRUTH, self._ANSWER, absent_classes=absent, groups=groups)
    self.assertEqual(result.get("miou_rare"), expected)
    half = {"leave_out": 50.0, "zero": 25.0, "one": 75.0}[absent]
    self.assertAlmostEqual(result["miou_some"], half)

  def test_absent_means_in_the_union_of_the_whole_split(self):
    protocol = segmentation_protocol.SegmentationProtocol(num_classes=2, per_class=False)
    _update(protocol, [0, 0], [0, 0], 2)
    self.assertAlmostEqual(protocol.result()["miou"], 100.0)
    _update(protocol, [1, 0], [0, 0], 2)  # pooled: class 0 is 3 of 4, class 1 is 0 of 1
    self.assertAlmostEqual(protocol.result()["miou"], 100 * (3 / 4 + 0) / 2)
    np.testing.assert_array_equal(protocol.confusion, [[3, 0], [1, 0]])
    self.assertEqual(list(protocol.result()), ["miou", "accuracy"])

  def test_grouping_into_batches_does_not_matter_and_unlabelled_images_do_not_count(self):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, [3, 2, 4, 5, 1]).astype(np.uint8)
    truth[1, 1] = 255
    logits = rng.normal(size=[3, 2, 4, 5, 3]).astype(np.float32)
    whole, parts = (segmentation_protocol.SegmentationProtocol(num_classes=3) for _ in range(2))
    whole.update({"segmentation": truth}, {"segmentation": logits})
    for i in range(3):
      one = slice(i, i + 1)
      parts.update({"segmentation": truth[one]}, {"segmentation": logits[one]})
    self.assertEqual(whole.result(), parts.result())
    self.assertEqual(whole.num_images, 5)
    self.assertEqual(whole.confusion.sum(), 5 * 20)

  def test_road_classes_are_the_default(self):
    protocol = segmentation_protocol.SegmentationProtocol()
    ids = road_classes.IDS
    truth = [ids["person"], ids["person"], ids["car"], ids["road"]]
    _update(protocol, truth, [ids["person"], ids["road"], ids["car"], ids["road"]], 19)
    result = protocol.result()
    self.assertAlmostEqual(result["miou_people"], 50.0)
    self.assertAlmostEqual(result["miou_vehicles"], 100.0)
    self.assertAlmostEqual(result["miou_movable"], 75.0)
    self.assertAlmostEqual(result["iou_road"], 50.0)
    self.assertContainsSubset(result, protocol.metrics)
    self.assertIn("people: person, rider", protocol.description)

  def test_hostile_arrays_are_named(self):
    with self.assertRaisesRegex(ValueError, r"must be 0..3, or 255 where missing. Received: \[4\]"):
      _result([0, 4], [0, 0])
    protocol = segmentation_protocol.SegmentationProtocol(num_classes=4)
    with self.assertRaisesRegex(ValueError, "saw no labelled pixel"):
      protocol.result()
    logits = np.zeros([1, 1, 2, 2, 3], np.float32)
    with self.assertRaisesRegex(ValueError, "predictions.*must be .*, 4.*Received shape"):
      protocol.update({"segmentation": np.zeros([1, 1, 2, 2, 1])}, {"segmentation": logits})
    with self.assertRaisesRegex(ValueError, "must be class numbers"):
      protocol.update({"segmentation": np.zeros([1, 1, 2, 2, 3])}, {"segmentation": logits})
    logits = np.full([1, 1, 2, 2, 4], np.nan, np.float32)
    with self.assertRaisesRegex(ValueError, "16 NaN or infinite of 16"):
      protocol.update({"segmentation": np.zeros([1, 1, 2, 2, 1])}, {"segmentation": logits})

  @parameterized.parameters(
    ({"num_classes": 256}, "num_classes must be in 1..255.*256"),
    ({"num_classes": 2, "class_names": ["a"]}, "must be 2 different names"),
    ({"num_classes": 2, "groups": {"g": [2]}}, "groups.*'g'.*0..1"),
    ({"num_classes": 2, "absent_classes": "nan"}, "absent_classes must be one of .*'nan'"),
  )
  def test_bad_arguments(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      segmentation_protocol.SegmentationProtocol(**arguments)


if __name__ == "__main__":
  absltest.main()
