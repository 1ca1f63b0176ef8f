"""Tests of evaluation/detection_protocol.py: by hand, and whatever the batches."""

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.evaluation import detection_protocol

_BOX = np.array([10, 0, 1, 4, 2, 1.5, 0.0])


def _labels(boxes, points, classes=None, frames=1):
  """One sample; the same in every frame."""
  made = {
    "boxes": np.asarray(boxes, np.float32),
    "classes": np.ones(len(boxes), int) if classes is None else np.asarray(classes),
    "box_points": np.asarray(points),
  }
  return {name: np.stack([value] * frames)[None] for name, value in made.items()}


def _found(boxes, scores, frames=1, padding=2, classes=None):
  count = len(boxes)
  boxes = np.concatenate([np.reshape(boxes, [-1, 7]), np.zeros([padding, 7])]).astype(np.float32)
  made = {
    "boxes": boxes,
    "scores": np.concatenate([scores, np.zeros(padding)]),
    "classes": np.concatenate([np.ones(count) if classes is None else classes, np.zeros(padding)]),
    "num_boxes": np.array(count),
  }
  return {name: np.stack([value] * frames)[None] for name, value in made.items()}


def _moved(**changes):
  box = _BOX.copy()
  for name, value in changes.items():
    box[("x", "y", "z", "l", "w", "h", "heading").index(name)] += value
  return box


class DetectionProtocolTest(parameterized.TestCase):
  def result(self, labels, found, **arguments):
    protocol = detection_protocol.DetectionProtocol(**arguments)
    protocol.update(labels, found)
    return protocol.result()

  def test_perfect(self):
    values = self.result(_labels([_BOX, _moved(y=9)], [9, 3]), _found([_BOX, _moved(y=9)], [0.9, 0.8]))  # fmt: skip
    for name in ("ap_3d_l1", "aph_3d_l1", "ap_bev_l1", "ap_3d_l2", "ap_3d_[0, 30)"):
      self.assertAlmostEqual(values[name], 100.0, places=4)
    self.assertNotIn("ap_3d_[30, 50)", values)  # nothing is there

  def test_height_counts_in_3d_only_and_heading_in_aph_only(self):
    high = self.result(_labels([_BOX], [9]), _found([_moved(z=1)], [0.9]))
    self.assertEqual((high["ap_3d_l1"], high["ap_bev_l1"]), (0.0, 100.0))
    turned = self.result(_labels([_BOX], [9]), _found([_moved(heading=np.pi)], [0.9]))
    self.assertEqual((turned["ap_3d_l1"], turned["aph_3d_l1"]), (100.0, 0.0))

  def test_levels(self):
    values = self.result(_labels([_BOX, _moved(y=9)], [9, 3]), _found([_BOX], [0.9]))
    self.assertEqual((values["ap_3d_l1"], values["ap_3d_l2"]), (100.0, 50.0))

  def test_region_leaves_out_truth_and_detections(self):
    far = _moved(x=30)
    arguments = _labels([_BOX, far], [9, 9]), _found([_BOX, _moved(x=31, y=20)], [0.5, 0.9])
    self.assertLess(self.result(*arguments)["ap_3d_l1"], 60)
    self.assertEqual(self.result(*arguments, region=32.0)["ap_3d_l1"], 100.0)

  def test_classes_are_averaged(self):
    labels = _labels([_BOX, _moved(y=9)], [9, 9], classes=[1, 2])
    found = _found([_BOX, _moved(y=9)], [0.9, 0.8], classes=[1, 1])
    self.assertEqual(self.result(labels, found)["ap_3d_l1"], 100.0)
    # Class 1 has one detection too many, of class 2 none is found.
    both = self.result(labels, found, num_classes=2)["ap_3d_l1"]
    self.assertAlmostEqual(both, 50.0, places=4)

  def test_first_frame_or_all(self):
    labels, found = _labels([_BOX], [9], frames=2), _found([_BOX], [0.9], frames=2)
    found["num_boxes"][0, 1] = 0
    self.assertEqual(self.result(labels, found)["ap_3d_l1"], 100.0)
    self.assertEqual(self.result(labels, found, frames="all")["ap_3d_l1"], 50.0)

  def test_batches_do_not_matter(self):
    random = np.random.RandomState(0)
    protocols = [detection_protocol.DetectionProtocol(iou_threshold=0.3) for _ in range(2)]
    labels, found = [], []
    for _ in range(4):
      truth = random.uniform([-20, -20, 0, 4, 2, 1.5, -3], [20, 20, 1, 5, 2.2, 1.7, 3], [5, 7])
      noisy = truth + random.normal(size=[5, 7]) * 0.3
      labels.append(_labels(truth, random.randint(1, 20, 5)))
      found.append(_found(noisy, random.uniform(size=5)))
      protocols[0].update(labels[-1], found[-1])
    together = lambda parts: {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}
    protocols[1].update(together(labels), together(found))
    self.assertEqual(protocols[0].result(), protocols[1].result())
    self.assertEqual([p.num_images for p in protocols], [4, 4])
    names = [curve.name for curve in protocols[0].curves()]
    self.assertEqual(names, ["detection: 3D", "detection: BEV"])

  def test_says_what_it_does_and_refuses_nonsense(self):
    protocol = detection_protocol.DetectionProtocol(region=32.0)
    self.assertIn("IoU 0.7", protocol.description)
    self.assertIn("32 m", protocol.description)
    self.assertContainsSubset(["ap_3d_l1", "aph_bev_l2", "ap_3d_[30, 50)"], protocol.metrics)
    with self.assertRaisesRegex(ValueError, "saw no frame"):
      protocol.result()
    with self.assertRaisesRegex(ValueError, "frames must be one of"):
      detection_protocol.DetectionProtocol(frames="last")
    with self.assertRaisesRegex(ValueError, "Received: 0 and None"):
      detection_protocol.DetectionProtocol(num_classes=0)
    with self.assertRaisesRegex(ValueError, "'boxes'.*must be finite"):
      protocol.update(_labels([_BOX], [9]), _found([_moved(x=np.nan)], [0.5]))


if __name__ == "__main__":
  absltest.main()
