"""Tests of pictures of videos and trajectories, from evaluated models to the page."""

import io
import pathlib
import re

import tensorflow as tf
from PIL import Image

from tests.evaluation import paper_streets, work_folders
from tf_taskology.evaluation import (
  depth_protocol,
  ego_motion_protocol,
  evaluator,
  report,
  runs,
  segmentation_protocol,
  spec,
  video_gallery,
)

_HEIGHT, _WIDTH = paper_streets.SIZE
_COLUMNS = ("frame", "warped next frame", "photometric error", "depth", "segmentation", "object motion")  # fmt: skip


class VideoReportTest(tf.test.TestCase):
  def _run(self, name, **kwargs):
    work_dir = self.create_tempdir(name).full_path
    work_folders.write(work_dir)
    paper_streets.publish(work_dir, **kwargs)
    protocols = [
      depth_protocol.DepthProtocol(),
      segmentation_protocol.SegmentationProtocol(),
      ego_motion_protocol.EgoMotionProtocol(),
    ]
    street = spec.EvaluationSpec("streets", paper_streets.source(), protocols=protocols)
    evaluator.evaluate_run(work_dir, [street], num_pictures=2)
    return work_dir

  def _evaluations(self, **kwargs):
    return {
      name: runs.read(self._run(name, **arguments)).evaluations[0]
      for name, arguments in kwargs.items()
    }

  def test_grid_of_two_runs_of_which_one_knows_no_motion(self):
    evaluations = self._evaluations(
      all_three={"scale": 0.5}, classes_alone={"modules": ["segmentation"]}
    )
    [first, _] = video_gallery.galleries(evaluations)
    self.assertEqual(first.sample_id, "drive/0")
    self.assertEqual(first.columns, _COLUMNS)
    truth, both, alone = first.rows
    self.assertEqual([row[0].caption for row in first.rows], ["drive/0", "all_three", "classes_alone"])  # fmt: skip
    self.assertStartsWith(both[3].caption, "abs rel 0.000, scale 2")
    self.assertEqual(both[4].caption, "50.0% right")
    self.assertStartsWith(truth[2].caption, "mean 0.0")
    self.assertEqual(truth[5].caption, "bright: 1.0 m")
    self.assertAllEqual(truth[5].image[5, 21], [255, 38, 38])  # ahead is red
    self.assertEqual([tile.image is None for tile in alone], [True] * 4 + [False, True])
    self.assertEqual(first.picture().shape[2], 3)

  def test_animation(self):
    evaluations = self._evaluations(run={}, classes_alone={"modules": ["segmentation"]})
    [(name, animation), _] = video_gallery.gifs(evaluations)
    self.assertEqual(name, "run")
    image = Image.open(io.BytesIO(animation))
    self.assertEqual(image.n_frames, 3)
    self.assertEqual(image.size, (3 * _WIDTH, _HEIGHT))  # frame, depth, segmentation

  def test_page_and_files(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    path = folder / "report.html"
    report.write_report(path, {"run": self._run("run", sideways=0.05)}, pictures_dir=folder / "p")
    page = path.read_text()
    for heading in ("Videos", "Trajectories", "Curves"):
      self.assertIn(f"<h2>{heading}", page)
    self.assertNotIn("<h2>Pictures", page)  # videos have a section of their own
    self.assertEqual(page.count("data:image/gif;base64,"), 2)
    self.assertIn("drive/0: 6 frames, 3.1 m", page)
    self.assertNotRegex(page, "https?://")
    self.assertEmpty(
      [u for u in re.findall(r'(?:src|href)="([^"]*)"', page) if not re.match("data:|#", u)]
    )
    names = {p.name for p in (folder / "p").iterdir()}
    self.assertContainsSubset(
      {"streets-test-video-0.png", "streets-test-video-1.gif", "streets-test-paths.png"}, names
    )


if __name__ == "__main__":
  tf.test.main()
