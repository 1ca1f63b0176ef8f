"""Tests of samples that an evaluation keeps, and of the files with them."""

import io
import pathlib

import numpy as np
import tensorflow as tf

from tests.evaluation import paper_streets, paper_walls
from tf_taskology.evaluation import samples, trajectory

_HEIGHT, _WIDTH = paper_streets.SIZE


def _sample(pair_outputs=("rotation", "motion_field"), **kwargs):
  batch = next(iter(paper_streets.source(**kwargs).dataset("test").batch(2)))
  labels = {"depth": batch["labels"]["depth"].numpy()}
  logits = np.zeros([2, 3, _HEIGHT, _WIDTH, 5], np.float32)
  logits[..., 4] = 1
  predictions = {
    "segmentation": logits,
    "rotation": np.arange(2 * 4 * 3, dtype=np.float32).reshape(2, 4, 1, 1, 3),
    "motion_field": np.ones([2, 4, _HEIGHT, _WIDTH, 3], np.float32),
  }
  return samples.from_batch(batch, labels, predictions, pair_outputs, 1)


class SamplesTest(tf.test.TestCase):
  def test_a_video_keeps_what_pictures_need(self):
    sample = _sample()
    self.assertEqual(sample.sample_id, "drive/1")
    self.assertEqual(list(sample.predictions), ["segmentation"])  # those of pairs are in the video
    self.assertAllEqual(np.unique(sample.predictions["segmentation"]), [4])
    video = sample.video
    self.assertEqual(video.images.shape, (3, _HEIGHT, _WIDTH, 3))
    self.assertAllEqual(video.predictions["rotation"], [[[[12, 13, 14]]]])  # only pair (0, 1)
    self.assertEqual(video.predictions["segmentation"].shape, (3, _HEIGHT, _WIDTH, 1))
    self.assertEqual(
      {n: len(a) for n, a in video.labels.items()},
      {"depth": 2, "segmentation": 1, "object_motion": 1},
    )
    self.assertAllClose(video.pose[1, 0, 3], 2 * paper_streets.STEP)

  def test_no_video_without_motion(self):
    self.assertIsNone(_sample(pair_outputs=()).video)

  def test_files_give_back_what_was_written(self):
    path = trajectory.Trajectory("drive/0", *(np.full([4, 3], i) for i in range(3)))
    kept = [_sample(), _sample(pair_outputs=()), _sample(pose=False)]
    folder = pathlib.Path(self.create_tempdir().full_path)
    with open(folder / "a.npz", "wb") as file:
      samples.write(file, kept, {"ego-motion": [path, path]})
    read, trajectories = samples.read(folder / "a.npz")
    self.assertLen(read, 3)
    for before, after in zip(kept, read, strict=True):
      self.assertEqual(before.sample_id, after.sample_id)
      self.assertEqual(before.video is None, after.video is None)
      self.assertAllEqual(before.labels["depth"], after.labels["depth"])
    self.assertAllEqual(
      read[0].video.labels["object_motion"], kept[0].video.labels["object_motion"]
    )
    self.assertAllEqual(read[0].video.pose, kept[0].video.pose)
    self.assertIsNone(read[2].video.pose)
    self.assertEqual([p.name for p in trajectories["ego-motion"]], ["drive/0"] * 2)
    self.assertAllEqual(trajectories["ego-motion"][0].guess, path.guess)
    self.assertEqual(samples.read(folder / "b.npz"), ((), {}))

  def test_still_pictures_are_as_they_were(self):
    batch = next(iter(paper_walls.source(1).dataset("test").batch(1)))
    labels = {name: array.numpy() for name, array in batch["labels"].items()}
    sample = samples.from_batch(batch, labels, labels, (), 0)
    self.assertAllEqual(sample.predictions["normals"], labels["normals"][0, 0])
    file = io.BytesIO()
    samples.write(file, [sample], {})
    with np.load(io.BytesIO(file.getvalue())) as arrays:
      self.assertNotIn("0/video/images", arrays.files)


if __name__ == "__main__":
  tf.test.main()
