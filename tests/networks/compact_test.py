"""Tests of networks/compact.py."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.networks import network_cases
from tf_taskology.networks import compact


class CompactTest(network_cases.AlignedNetworkCases, parameterized.TestCase, tf.test.TestCase):
  stride = 2

  def network(self):
    return compact.Compact()

  @parameterized.parameters(1, 2, 4, 16)
  def test_output_stride(self, stride):
    model = compact.Compact(output_stride=stride)((network_cases.DEPTH,), (32, 48))
    self.assertEqual(model.output_shape["depth"], (None, 32 // stride, 48 // stride, 1))

  def test_at_full_resolution_details_start_at_nothing_and_can_be_learnt(self):
    model = compact.Compact(output_stride=1)((network_cases.DEPTH,), (32, 48))
    coarse = compact.Compact()((network_cases.DEPTH,), (32, 48))
    for variable in coarse.weights:
      variable.assign(next(v for v in model.weights if v.name == variable.name))
    image = tf.random.stateless_uniform((2, 32, 48, 3), (5, 6), maxval=255.0)
    with tf.GradientTape() as tape:
      answer = model(image)["depth"]
      loss = tf.reduce_mean(tf.square(answer[:, 1::2, 1::2] - 1.0))
    self.assertAllClose(answer[:, ::2, ::2], coarse(image)["depth"], atol=1e-5)
    detail = model.get_layer("depth_detail").kernel
    self.assertGreater(float(tf.reduce_max(tf.abs(tape.gradient(loss, detail)))), 0)

  def test_coordinates_are_seen_by_the_first_convolution(self):
    for coordinates, channels in ((False, 3), (True, 5)):
      model = compact.Compact(coordinates=coordinates)((network_cases.DEPTH,), (32, 48))
      self.assertEqual(model.get_layer("down1").kernel.shape[2], channels)

  def test_every_pixel_sees_the_whole_image(self):
    model = compact.Compact()((network_cases.DEPTH,), (96, 128))
    image = tf.Variable(tf.random.stateless_uniform((1, 96, 128, 3), (5, 6), maxval=255.0))
    with tf.GradientTape() as tape:
      corner = model(image)["depth"][0, 0, 0, 0]
    gradient = tape.gradient(corner, image)
    self.assertGreater(np.mean(np.any(gradient != 0, axis=-1)), 0.9)

  def test_has_a_size_for_small_machines(self):
    parameters = self.build((network_cases.DEPTH,)).count_params()
    self.assertBetween(parameters, 250_000, 550_000)

  def test_batch_normalization_moves_its_statistics(self):
    model = compact.Compact(normalization="batch")((network_cases.DEPTH,), (32, 48))
    before = [v.numpy() for v in model.non_trainable_variables]
    model(tf.random.stateless_uniform((2, 32, 48, 3), (5, 6), maxval=255.0), training=True)
    for old, new in zip(before, model.non_trainable_variables, strict=True):
      self.assertNotAllClose(old, new)

  def test_fixed_batch_normalization_goes_on_from_batch_normalization_and_keeps_its_statistics(
    self,
  ):
    trained = compact.Compact(normalization="batch")((network_cases.DEPTH,), (32, 48))
    model = compact.Compact(normalization="fixed_batch")((network_cases.DEPTH,), (32, 48))
    image = tf.random.stateless_uniform((2, 32, 48, 3), (5, 6), maxval=255.0)
    trained(image, training=True)
    names = [variable.name for variable in trained.weights]
    self.assertEqual([variable.name for variable in model.weights], names)
    model.set_weights(trained.get_weights())
    with tf.GradientTape() as tape:
      depth = model(image, training=True)["depth"]
    self.assertAllClose(depth, trained(image)["depth"], rtol=1e-5)
    self.assertAllEqual(
      trained.get_layer("up1_norm").moving_mean, model.get_layer("up1_norm").moving_mean
    )
    scale = model.get_layer("up1_norm").gamma
    self.assertGreater(float(tf.reduce_max(tf.abs(tape.gradient(depth, scale)))), 0)

  @parameterized.parameters(
    (dict(output_stride=3), "output_stride must be one of"),
    (dict(normalization="group"), "normalization must be one of .* 'group'"),
    (dict(channels=(16, 32)), "one entry per level"),
  )
  def test_refuses(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      compact.Compact(**arguments)


if __name__ == "__main__":
  tf.test.main()
