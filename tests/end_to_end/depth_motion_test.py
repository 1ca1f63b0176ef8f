"""From video alone, without a label, depth gets better, and motion learns which way the camera goes."""
# bazel: size=medium

import os

import numpy as np
import tensorflow as tf

from tests.training import video_fixtures
from tf_taskology.evaluation import exports
from tf_taskology.tasks import motion
from tf_taskology.training import experiment, schedules, trainer


def _depth_error(model, sample):
  """Mean relative error after the scale of each image is aligned."""
  truth = sample["labels"]["depth"][:, 0].numpy()
  depth = model.predict(sample["image"][:, 0])["depth"]
  # Half of the pixels are near and half far: a median would be either.
  ratio = np.exp(np.mean(np.log(truth / depth), axis=(1, 2, 3), keepdims=True))
  return np.mean(np.abs(depth * ratio - truth) / truth)


class DepthMotionTest(tf.test.TestCase):
  def test_photometric_consistency_teaches_both(self):
    work_dir = self.create_tempdir().full_path
    collective = video_fixtures.collective(
      150,
      object_motion=False,
      # Depth waits until motion knows left from right.
      relation={"weights": {"depth": schedules.Ramp(1.0, begin=60, length=40), "rotation": 1.0}},
      training=experiment.Training(steps=150, steps_per_epoch=75, images_every_epochs=0),
      publishing=experiment.Publishing(every_steps=150, keep=2),
    )
    trainer.train(collective, work_dir=work_dir, mode="synchronous")
    sample = next(iter(video_fixtures.WallsSource().dataset("test").batch(48)))

    def model(name, version):
      path = os.path.join(work_dir, "exports", name, str(version))
      return exports.Model(exports.Export(name, version, path))

    before, after = (_depth_error(model("depth", version), sample) for version in (0, 150))
    self.assertLess(after, 0.7 * before, (before, after))
    (source, target), image = motion.pairs(2)[0], sample["image"]
    pair = tf.concat([image[:, source], image[:, target]], axis=-1)
    moved = -(sample["pose"][:, target, 0, 3] - sample["pose"][:, source, 0, 3])
    path = os.path.join(work_dir, "exports", "motion", "150")
    answers = tf.saved_model.load(path).signatures["serving_default"](image=pair)
    found = answers["translation"][:, 0, 0, 0]
    self.assertGreater(np.corrcoef(found, moved)[0, 1], 0.8)


if __name__ == "__main__":
  tf.test.main()
