"""Tests of evaluation/box_gallery.py."""

import dataclasses

import numpy as np
from absl.testing import absltest

from tests.evaluation import sweep_samples
from tf_taskology.evaluation import box_gallery, box_pictures


def _share(image, colour):
  return np.mean(np.abs(image.astype(int) - colour).max(axis=-1) < 40)


class BoxGalleryTest(absltest.TestCase):
  def test_truth_and_a_row_for_each_run(self):
    (shown,) = box_gallery.galleries(sweep_samples.evaluations(), size=200)
    self.assertEqual(shown.columns, box_gallery.COLUMNS)
    captions = [[tile.caption for tile in row] for row in shown.rows]
    self.assertEqual(captions[0], ["truth, drive/000004", "2 vehicles", "1 move, 3 sweeps"])
    self.assertEqual(captions[1][:2], ["isolated", "1 found, 1 missed, 1 wrong"])
    self.assertEqual(captions[1][2], "boxes of each sweep, 2 move by their flow")
    self.assertEqual(captions[2][:2], ["together", "2 found, 0 missed, 0 wrong"])
    self.assertEqual(captions[2][2], "boxes of each sweep, 1 move by their flow")
    (isolated, flow), (together, _) = ([tile.image for tile in row[1:]] for row in shown.rows[1:])
    self.assertGreater(_share(isolated, box_pictures.WRONG), 0)
    self.assertEqual(_share(together, box_pictures.WRONG), 0)
    self.assertGreater(_share(flow, box_pictures.FLOW), 0)
    self.assertEqual(box_gallery.picture(shown).shape[2], 3)

  def test_single_sweeps_have_one_picture(self):
    (shown,) = box_gallery.galleries(sweep_samples.evaluations(frames=1), size=100)
    self.assertEqual([len(row) for row in shown.rows], [2, 2, 2])

  def test_without_labels(self):
    (shown,) = box_gallery.galleries(sweep_samples.evaluations(labels=False), size=100)
    self.assertEqual(shown.rows[0][0].caption, "isolated, drive/000004")
    self.assertEqual(shown.rows[0][1].caption, "2 found")

  def test_only_samples_that_all_runs_have(self):
    found = sweep_samples.evaluations()
    found["together"] = dataclasses.replace(found["together"], sweeps=())
    self.assertEmpty(box_gallery.galleries(found))


if __name__ == "__main__":
  absltest.main()
