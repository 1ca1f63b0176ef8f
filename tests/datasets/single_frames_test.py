"""Tests of datasets/single_frames.py."""

import tensorflow as tf

from tests.training import fixtures, point_fixtures
from tf_taskology.datasets import element, single_frames


class SingleFramesTest(tf.test.TestCase):
  def test_every_frame_by_itself(self):
    whole = point_fixtures.FieldSource(count=3, frames=2)
    source = single_frames.SingleFrames(whole)
    self.assertEqual((source.num_frames, source.num_samples("test")), (1, 6))
    self.assertEqual(source.labels, whole.labels)
    self.assertEqual(source.dataset("test").element_spec, source.element_spec)
    samples = list(whole.dataset("test"))
    for i, alone in enumerate(source.dataset("test")):
      sample, frame = samples[i // 2], i % 2
      self.assertEqual(alone.pop(element.SAMPLE_ID), f"field{i // 2}/{frame}")
      sample = {name: value for name, value in sample.items() if name != element.SAMPLE_ID}
      tf.nest.map_structure(lambda a, b, f=frame: self.assertAllEqual(a[0], b[f]), alone, sample)

  def test_images_are_refused(self):
    with self.assertRaisesRegex(ValueError, "source of point clouds. Received: planes"):
      single_frames.SingleFrames(fixtures.PlanesSource())


if __name__ == "__main__":
  tf.test.main()
