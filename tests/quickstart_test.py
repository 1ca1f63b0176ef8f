"""README's first command, in a world so small that it takes a minute."""
# bazel: size=large, deps=//tf_taskology:quickstart

import os
import subprocess
import sys

from absl.testing import absltest

_EXPERIMENT = """
from __gin__ import dynamic_registration
from tf_taskology.datasets.rooms import rooms_source
include "gin/rooms/depth_normals.gin"
IMAGE_SIZE = (16, 32)
BATCH_SIZE = 4
STEPS_PER_EPOCH = 5
PUBLISH_STEPS = 2
rooms_source.RoomsSource.train = 8
rooms_source.RoomsSource.validation = 2
rooms_source.RoomsSource.test = 4
rooms_source.RoomsSource.data_dir = {data_dir!r}
"""


class QuickstartTest(absltest.TestCase):
  def _run(self, gin_file, work_dir):
    command = [
      *(sys.executable, "-m", "tf_taskology.quickstart"),
      *(f"--gin_file={gin_file}", f"--work_dir={work_dir}", "--start_steps=5", "--steps=10"),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
    return done.stdout

  def test_trains_compares_and_reports_and_does_nothing_twice(self):
    folder = self.create_tempdir()
    gin_file = folder.create_file(
      "tiny.gin", _EXPERIMENT.format(data_dir=os.path.join(folder.full_path, "data"))
    ).full_path
    work_dir = os.path.join(folder.full_path, "work")
    first = self._run(gin_file, work_dir)
    self.assertRegex(first, r"isolated +collective +difference")
    self.assertIn("models at step depth 10, normals 10", first)
    self.assertIn("== collective (distributed", first)
    report = os.path.join(work_dir, "report.html")
    self.assertIn(f"Report: {report}", first)
    with open(report, encoding="utf-8") as file:
      self.assertIn("collective", file.read())
    second = self._run(gin_file, work_dir)
    self.assertNotIn("== collective", second)
    table = first[first.index("rooms, sensor (test)") : first.index("Both trained")]
    self.assertIn(table, second)


if __name__ == "__main__":
  absltest.main()
