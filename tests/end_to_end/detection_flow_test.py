"""Detection and box flow as peers of one another behind model servers; evaluated, reported, used."""
# bazel: size=medium, data=field.gin
# bazel: deps=//tf_taskology:collective //tf_taskology:evaluate //tf_taskology:predict //serving:model_server

import csv
import json
import os
import sys

import numpy as np
from absl.testing import absltest

from tests.end_to_end import runs
from tests.training import point_fixtures
from tf_taskology.evaluation import evaluation, report
from tf_taskology.training import comparison

_FIELD = os.path.join(os.path.dirname(runs.PLANES), "field.gin")


class DetectionFlowTest(runs.RunTestCase):
  modules = ("detection", "box_flow")

  def test_collective_evaluate_report_and_predict(self):
    command = [sys.executable, "-m", "tf_taskology.collective", f"--gin_file={_FIELD}"]
    command += ["--gin_binding=STEPS = 100", f"--work_dir={self.work_dir}", "--report_secs=5"]
    self.wait_for_exit(self.start([*command, "--model_server_binary=embedded"], "printed.log"))
    for module, peer in (("detection", "box_flow"), ("box_flow", "detection")):
      with open(os.path.join(self.work_dir, module, "history.jsonl"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
      self.assertIn("box_tracks/residual", lines[-1]["losses"])
      self.assertGreater(lines[-1]["peers"][peer]["requests"], 20)
      self.assertEqual(lines[-1]["peers"][peer]["failures"], 0)
      self.assertCountEqual(self.exports(module), ["80", "100"])
    command = [sys.executable, "-m", "tf_taskology.evaluate", f"--work_dir={self.work_dir}"]
    self.wait_for_exit(self.start(command, "evaluate.log"))
    (found,) = evaluation.read(self.work_dir)
    values = found.scores["detection"].values
    self.assertGreater(values["ap_bev_l1"], 20, values)
    self.assertNotEmpty(found.curves)
    self.assertIsNotNone(found.sweeps[0].flow)
    path = os.path.join(self.work_dir, "report.html")
    report.write_report(path, {"together": [self.work_dir]}, "Field")
    with open(path, encoding="utf-8") as file:
      self.assertIn("BEV mAP L1", file.read())
    self.assertLen(comparison.overview({"together": [[found]]}), 1)
    self._predict(values)

  def _predict(self, values):
    """Boxes for files of points."""
    clouds, out = os.path.join(self.work_dir, "clouds"), os.path.join(self.work_dir, "out")
    os.mkdir(clouds)
    samples = list(point_fixtures.FieldSource().dataset("test").take(3))
    for i, sample in enumerate(samples):
      points = sample["points"][0, : sample["num_points"][0]].numpy()
      points[:, 2] -= 1.5
      np.save(os.path.join(clouds, f"{i}.npy"), points)
    command = [sys.executable, "-m", "tf_taskology.predict", f"--points={clouds}"]
    command += [f"--export_dir={self.work_dir}/exports/detection", f"--output_dir={out}"]
    self.wait_for_exit(self.start([*command, "--sensor_height=1.5"], "predict.log"))
    with open(os.path.join(out, "boxes.csv"), encoding="utf-8") as file:
      rows = list(csv.DictReader(file))
    near = 0
    for i, sample in enumerate(samples):
      truth = sample["labels"]["boxes"][0].numpy()[sample["labels"]["classes"][0].numpy() > 0]
      found = [[float(r["x"]), float(r["y"])] for r in rows if r["file"] == str(i)]
      away = np.linalg.norm(truth[:, None, :2] - np.reshape(found, [1, -1, 2]), axis=-1)
      near += np.sum(np.min(away, axis=1, initial=9.0) < 1.5)
      self.assertTrue(os.path.exists(os.path.join(out, f"{i}.png")))
    self.assertGreaterEqual(near, 2, (rows, values))


if __name__ == "__main__":
  absltest.main()
