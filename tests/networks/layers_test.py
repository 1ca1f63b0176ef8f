"""Tests of networks/layers.py."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.networks import layers


class CheckImageSizeTest(parameterized.TestCase):
  def test_names_network_size_and_nearest_size(self):
    with self.assertRaisesRegex(
      ValueError, r"Net: .* multiples of 16.* got \(50, 64\).* \(48, 64\)"
    ):
      layers.check_image_size("Net", (50, 64), 16)

  @parameterized.parameters(((48,),), ((0, 16),), ((48, 64, 3),))
  def test_refuses(self, size):
    with self.assertRaises(ValueError):
      layers.check_image_size("Net", size, 16)

  def test_accepts_a_multiple(self):
    self.assertEqual(layers.check_image_size("Net", [48, np.int64(64)], 16), (48, 64))


class ScaleImageTest(tf.test.TestCase):
  def test_fixed_maps_0_255_to_minus_1_1(self):
    image = tf.constant([0.0, 127.5, 255.0]) * tf.ones((1, 2, 2, 3))
    self.assertAllClose(layers.ScaleImage("fixed")(image)[0, 0, 0], [-1.0, 0.0, 1.0])

  def test_per_image_ignores_gain_and_colour_cast(self):
    image = tf.random.stateless_uniform((2, 8, 8, 3), (1, 2)) * 100
    scale = layers.ScaleImage("per_image")
    other = image * 1.7 + tf.constant([10.0, 0.0, 30.0])
    self.assertAllClose(scale(image), scale(other), atol=2e-3)

  def test_per_image_of_a_blank_image_is_zero(self):
    self.assertAllEqual(
      layers.ScaleImage("per_image")(tf.fill((1, 4, 4, 3), 200.0)), np.zeros((1, 4, 4, 3))
    )

  def test_imagenet_has_mean_zero_at_imagenets_mean(self):
    image = tf.constant([0.485, 0.456, 0.406]) * 255 * tf.ones((1, 1, 1, 3))
    self.assertAllClose(layers.ScaleImage("imagenet")(image)[0, 0, 0], [0.0, 0.0, 0.0], atol=1e-5)

  def test_refuses_an_unknown_scaling(self):
    with self.assertRaisesRegex(ValueError, "'zscore'"):
      layers.ScaleImage("zscore")


class UpsampleTest(tf.test.TestCase):
  def test_bilinear_keeps_features_at_factor_times_their_position(self):
    x = tf.random.stateless_normal((1, 3, 4, 2), (0, 1))
    y = layers.Upsample(4)(x)
    self.assertAllClose(y[:, ::4, ::4], x)
    self.assertAllClose(y[0, 0, 2], (x[0, 0, 0] + x[0, 0, 1]) / 2)

  def test_nearest_fills_blocks(self):
    x = tf.random.stateless_normal((1, 3, 4, 2), (0, 1))
    self.assertAllClose(layers.Upsample(2, "nearest")(x), np.repeat(np.repeat(x, 2, 1), 2, 2))

  def test_keeps_bfloat16(self):
    for method in ("bilinear", "nearest"):
      x = tf.ones((1, 2, 2, 1), tf.bfloat16)
      self.assertEqual(layers.Upsample(2, method, dtype="mixed_bfloat16")(x).dtype, tf.bfloat16)


class AddCoordinatesTest(tf.test.TestCase):
  def test_corners_are_at_minus_1_and_1(self):
    added = layers.AddCoordinates()(tf.zeros((2, 3, 5, 1)))
    self.assertAllEqual(added.shape, (2, 3, 5, 3))
    self.assertAllClose(added[1, 0, 0], [0, -1, -1])
    self.assertAllClose(added[1, 2, 4], [0, 1, 1])
    self.assertAllClose(added[0, 2, 2], [0, 0, 1])


class DepthToSpaceTest(tf.test.TestCase):
  def test_a_feature_fills_four_pixels(self):
    x = tf.reshape(tf.range(8.0), (1, 1, 2, 4))
    self.assertAllEqual(layers.DepthToSpace()(x)[0, ..., 0], [[0, 1, 4, 5], [2, 3, 6, 7]])


if __name__ == "__main__":
  tf.test.main()
