"""Tests of networks/nas_fpn.py."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.networks import network_cases
from tf_taskology.networks import nas_fpn

_SEGMENTATION = network_cases.FakeTask("segmentation", 19)


def count(variables, prefix=""):
  return int(sum(np.prod(v.shape) for v in variables if v.name.startswith(prefix)))


def pyramid(size, channels=4, seed=0):
  """Features of strides 8 to 128, sizes rounded up."""
  result = []
  for level in range(3, 8):
    side = [-(-s // 2**level) for s in size]
    result.append(tf.random.stateless_normal((2, *side, channels), (seed, level)))
  return result


def nearest(x, factor):
  return np.repeat(np.repeat(x, factor, 1), factor, 2)


def pooled(x, factor):
  n, h, w, c = x.shape
  return x.reshape(n, h // factor, factor, w // factor, factor, c).max((2, 4))


def attended(high, low):
  return high + low / (1 + np.exp(-high.max((1, 2), keepdims=True)))


def relu(x):
  return np.maximum(x, 0)


class NasFpnTest(tf.test.TestCase, parameterized.TestCase):
  def test_parameter_counts_are_those_of_the_public_code(self):
    variables = nas_fpn.NasFpn()([_SEGMENTATION], (64, 64)).trainable_variables
    cell = 9 * 256 * 256 + 3 * 256  # kernel; bias, gamma and beta
    self.assertEqual(count(variables, "lateral"), (512 + 1024 + 2048) * 256 + 3 * 3 * 256)
    for repeat in range(1, 5):
      self.assertEqual(count(variables, f"repeat{repeat}_"), 7 * cell)
    self.assertEqual(count(variables, "repeat5_"), 3 * cell)
    self.assertEqual(
      count(variables, "head") + count(variables, "segmentation"),
      2 * (9 * 256 * 256 + 2 * 256) + 256 * 19 + 19,
    )
    self.assertEqual(count(variables), 43_928_979)

  @parameterized.parameters(((128, 256),), ((64, 208),))
  def test_cells_by_hand(self, size):
    """With convolutions that do nothing, the first repeat is what figure 6 of the paper says."""
    network = nas_fpn.NasFpn(filters=4)
    inputs = pyramid(size)
    keras_inputs = [tf.keras.Input(x.shape[1:]) for x in inputs]
    model = tf.keras.Model(keras_inputs, network._merge(keras_inputs, "a"))
    for layer in model.layers:
      if isinstance(layer, tf.keras.layers.Conv2D):
        kernel = np.zeros([3, 3, 4, 4], np.float32)
        kernel[1, 1] = np.eye(4) * np.sqrt(1 + 1e-3)  # batch normalisation divides by it
        layer.set_weights([kernel, np.zeros(4)])
    results = [x.numpy() for x in model(inputs)]
    if size == (64, 208):  # no multiple of 128: what matters is that all sizes fit
      self.assertEqual([x.shape for x in results], [x.shape for x in inputs])
      return
    p3, p4, p5, p6, p7 = (x.numpy() for x in inputs)
    first = relu(attended(nearest(p6, 4), p4))
    second = relu(p4 + first)
    third = relu(p3 + nearest(second, 2))
    fourth = relu(second + pooled(third, 2))
    fifth = relu(attended(pooled(fourth, 2), pooled(third, 4)) + p5)
    sixth = relu(attended(pooled(fifth, 4), pooled(second, 8)) + p7)
    seventh = relu(attended(nearest(sixth, 2), pooled(fifth, 2)))
    for found, expected in zip(results, [third, fourth, fifth, seventh, sixth], strict=True):
      self.assertAllClose(found, expected, rtol=1e-4, atol=1e-4)

  @parameterized.parameters(8, 4, 1)
  def test_shapes_and_gradients(self, stride):
    network = nas_fpn.NasFpn("resnet18_v2", filters=32, repeats=1, output_stride=stride)
    model = network([_SEGMENTATION, network_cases.DEPTH], (48, 80))
    images = tf.random.stateless_uniform((2, 48, 80, 3), (1, 2), maxval=255.0)
    with tf.GradientTape() as tape:
      raw = model(images, training=True)
      loss = tf.add_n([tf.reduce_mean(tf.square(value - 1)) for value in raw.values()])
    self.assertEqual(raw["segmentation"].shape, (2, 48 // stride, 80 // stride, 19))
    self.assertEqual(raw["depth"].shape[-1], 1)
    for variable, gradient in zip(
      model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
    ):
      self.assertIsNotNone(gradient, variable.name)
      self.assertTrue(np.all(np.isfinite(gradient)), variable.name)

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "multiples of 8"):
      nas_fpn.NasFpn()([_SEGMENTATION], (60, 96))
    with self.assertRaisesRegex(ValueError, "output_stride"):
      nas_fpn.NasFpn(output_stride=16)
    with self.assertRaisesRegex(ValueError, "repeats must be 1 or more, got 0"):
      nas_fpn.NasFpn(repeats=0)


if __name__ == "__main__":
  tf.test.main()
