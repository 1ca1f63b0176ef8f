"""What the system is for: a network without a single label of its own learns from how its answers must agree with another's."""

import numpy as np
import tensorflow as tf

from tests.training import fixtures
from tf_taskology.datasets import element
from tf_taskology.evaluation import exports
from tf_taskology.training import trainer

_STEPS = 300


def _mean_angle(work_dir):
  """Mean angle between the published normals network's answers and the truth on other planes, degrees."""
  model = exports.Model(next(e for e in exports.newest(work_dir).values() if e.module == "normals"))
  batch = next(iter(fixtures.PlanesSource(seed=7).dataset("test").batch(16)))
  answers = model.predict(batch[element.IMAGE][:, 0].numpy())["normals"]
  cosines = np.sum(answers * batch[element.LABELS]["normals"][:, 0].numpy(), axis=-1)
  return np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean()


class EffectTest(tf.test.TestCase):
  def test_normals_without_labels_learn_from_depth(self):
    collective = fixtures.collective(
      steps=_STEPS, training={"steps_per_epoch": 100}, weights={"depth": 0.0, "normals": 1.0}
    )
    nothing = [f"plane{i}" for i in range(16)]
    collective.module("normals").dedicated = fixtures.PlanesSource(unlabelled=nothing)
    alone, together = self.create_tempdir().full_path, self.create_tempdir().full_path
    trainer.train(collective, work_dir=alone, mode="isolated", module="normals")
    trainer.train(collective, work_dir=together, mode="synchronous")
    self.assertGreater(_mean_angle(alone), 30)
    self.assertLess(_mean_angle(together), 15)


if __name__ == "__main__":
  tf.test.main()
