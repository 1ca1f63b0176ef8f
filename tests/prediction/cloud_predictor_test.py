"""Tests of prediction/cloud_predictor.py, with a model that does as it is told."""

import csv
import json
import os

import numpy as np
from absl.testing import absltest
from PIL import Image

from tf_taskology.prediction import cloud_predictor, image_files, model

_INPUTS = {
  "points": model.Tensor("float32", (-1, -1, 4)),
  "num_points": model.Tensor("int32", (-1,)),
}
_OUTPUTS = {name: model.Tensor("float32", None) for name in cloud_predictor.ANSWERS}


class _Detector(model.Model):
  """Finds one box around the mean of the points; none where there are no points."""

  title = "The fake detector"
  signatures = {"serving_default": model.Signature("serving_default", _INPUTS, _OUTPUTS)}

  def __init__(self):
    self.asked = []

  def predict(self, signature, batch):
    counts = batch["num_points"]
    self.asked.append((batch["points"].shape, counts.tolist()))
    boxes = np.zeros([len(counts), 3, 7], np.float32)
    for i, count in enumerate(counts):
      boxes[i, 0] = [*batch["points"][i, : max(count, 1), :3].mean(axis=0), 4, 2, 1.5, 0.5]
    found = (counts > 0).astype(np.int32)
    values = (boxes, np.full([len(counts), 3], 0.9, np.float32), np.ones([len(counts), 3]), found)
    return model.Answer(dict(zip(cloud_predictor.ANSWERS, values, strict=True)), 7)

  def close(self):
    pass


class CloudPredictorTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path
    self.out = self.create_tempdir().full_path

  def predict(self, sensor_height=0.0, columns=4, **arguments):
    files = image_files.find([self.folder], endings=(".bin", ".npy"), what="points")
    writer = cloud_predictor.Writer(self.out)
    detector = _Detector()
    choice = model.choose(detector)
    cloud_predictor.check(detector, choice.points)
    try:
      reader = cloud_predictor.Reader(4, columns, sensor_height)
      summary = cloud_predictor.predict(detector, choice.points, files, reader, writer, **arguments)
    finally:
      writer.close()
    with open(os.path.join(self.out, "boxes.csv"), encoding="utf-8") as file:
      return summary, list(csv.DictReader(file)), detector

  def write(self, name, points):
    path = os.path.join(self.folder, name)
    points = np.asarray(points, np.float32)
    points.tofile(path) if name.endswith(".bin") else np.save(path, points)

  def test_boxes_of_every_sweep(self):
    self.write("a.bin", [[1, 2, -1.5, 0.3], [3, 4, -1.5, 0.1]])
    self.write("b.npy", [[5, 6, 0], [np.nan, 0, 0]])
    self.write("c.npy", np.zeros([0, 3]))
    summary, rows, detector = self.predict(sensor_height=2.0, batch_size=2)
    self.assertEqual((summary.written, summary.failures, summary.versions), (3, {}, {7: 3}))
    self.assertEqual([row["file"] for row in rows], ["a", "b"])
    expected = {"x": "2.0000", "y": "3.0000", "z": "0.5000", "heading": "0.5000", "class": "1"}
    self.assertEqual({name: rows[0][name] for name in expected}, expected)
    self.assertEqual(float(rows[1]["z"]), 2.0)
    self.assertEqual([counts for _, counts in detector.asked], [[2, 1], [0]])
    with np.load(os.path.join(self.out, "a.npz")) as arrays:
      self.assertEqual(arrays["boxes"].shape, (1, 7))
    with Image.open(os.path.join(self.out, "c.png")) as picture:
      self.assertGreater(picture.width, 100)
    with open(os.path.join(self.out, "predictions.jsonl"), encoding="utf-8") as file:
      lines = [json.loads(line) for line in file]
    self.assertEqual([line["boxes"] for line in lines], [1, 1, 0])

  def test_broken_files_are_left_out(self):
    self.write("good.npy", [[1, 2, 3]])
    self.write("flat.npy", [1, 2, 3])
    with open(os.path.join(self.folder, "cut.bin"), "wb") as file:
      file.write(b"12345")
    summary, rows, _ = self.predict()
    self.assertLen(rows, 1)
    reasons = {os.path.basename(path): reason for path, reason in summary.failures.items()}
    self.assertEqual(set(reasons), {"flat.npy", "cut.bin"})
    self.assertIn("[points, 3 or more]", reasons["flat.npy"])
    self.assertIn("truncated", reasons["cut.bin"])

  def test_refuses_what_is_no_detector(self):
    signature = model.Signature("serving_default", _INPUTS, {"box_flow": _OUTPUTS["boxes"]})
    with self.assertRaisesRegex(model.ModelError, "lacks the outputs .*'boxes'.*It has"):
      cloud_predictor.check(_Detector(), signature)
    with self.assertRaisesRegex(ValueError, "There are no points in"):
      image_files.find([self.folder], endings=(".bin",), what="points")


if __name__ == "__main__":
  absltest.main()
