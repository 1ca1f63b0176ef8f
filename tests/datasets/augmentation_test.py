"""Colour augmentation: nothing at strength 0, the same for all frames, and by the seed alone."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.datasets import augmentation

_OFF = {name: 0.0 for name in augmentation.ColorAugmentation().strengths}
_SEED = tf.constant([3, 16], tf.int64)


def _images(batch=4, frames=2):
  frame = np.random.RandomState(0).randint(40, 200, (batch, 1, 6, 8, 3)).astype(np.uint8)
  return tf.constant(np.repeat(frame, frames, axis=1))


class ColorAugmentationTest(tf.test.TestCase, parameterized.TestCase):
  def test_strength_0_changes_no_value(self):
    every = tf.reshape(tf.cast(tf.range(256), tf.uint8), [1, 1, 16, 16, 1])
    image = tf.concat([every, every[:, :, ::-1], every[..., ::-1, :]], axis=-1)
    self.assertAllEqual(augmentation.ColorAugmentation(**_OFF)(image, _SEED), image)

  @parameterized.parameters(*[n for n in _OFF])
  def test_each_strength_does_something_by_the_seed(self, name):
    augment = augmentation.ColorAugmentation(**{**_OFF, name: 0.5})
    image = _images()
    result = augment(image, _SEED)
    self.assertEqual((result.dtype, result.shape), (image.dtype, image.shape))
    self.assertNotAllEqual(result, image)
    self.assertAllEqual(result, augment(image, _SEED))
    self.assertNotAllEqual(result, augment(image, _SEED + [0, 16]))
    self.assertNotAllEqual(result, augment(image, _SEED + [1, 0]))

  @parameterized.parameters(*[n for n in _OFF if n != "noise"])
  def test_frames_of_a_sample_change_alike_and_samples_differently(self, name):
    image = tf.repeat(_images(1, 2), 8, axis=0)
    result = augmentation.ColorAugmentation(**{**_OFF, name: 0.5})(image, _SEED).numpy()
    self.assertAllEqual(result[:, 0], result[:, 1])
    self.assertGreater(len({sample.tobytes() for sample in result}), 1)

  def test_brightness_stays_within_its_strength(self):
    image = _images(16)
    result = augmentation.ColorAugmentation(**{**_OFF, "brightness": 0.1})(image, _SEED)
    difference = tf.cast(result, tf.int32) - tf.cast(image, tf.int32)
    self.assertAllInRange(difference, -26, 26)
    spread = tf.reduce_max(difference, [1, 2, 3, 4]) - tf.reduce_min(difference, [1, 2, 3, 4])
    self.assertAllInRange(spread, 0, 1)

  def test_blur_is_the_binomial_kernel(self):
    image = np.zeros([1, 1, 5, 5, 3], np.uint8)
    image[0, 0, 2, 2] = 160
    result = augmentation.ColorAugmentation(**{**_OFF, "blur": 1.0})(tf.constant(image), _SEED)
    self.assertAllEqual(result[0, 0, 1:4, 1:4, 0], [[10, 20, 10], [20, 40, 20], [10, 20, 10]])

  def test_works_in_a_pipeline_of_unknown_batch_size(self):
    augment = augmentation.ColorAugmentation()
    dataset = (
      tf.data.Dataset.from_tensor_slices(_images(3)).batch(2).map(lambda x: augment(x, _SEED))
    )
    self.assertEqual([len(batch) for batch in dataset], [2, 1])

  @parameterized.parameters(-0.1, 4)
  def test_refuses_a_strength_out_of_range(self, value):
    with self.assertRaisesRegex(ValueError, rf"noise must be between 0 and 3.*Received: {value}"):
      augmentation.ColorAugmentation(noise=value)


if __name__ == "__main__":
  tf.test.main()
