"""Tests of networks/deeplab.py."""

from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.networks import network_cases
from tf_taskology.networks import deeplab, keras_cv_backbone

_SIZE = (64, 96)
_SEGMENTATION = network_cases.FakeTask("segmentation", 5)


def _count(model):
  return int(sum(np.prod(v.shape) for v in model.trainable_variables))


class DeepLabTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters(4, 1)
  def test_shapes_and_gradients(self, stride):
    network = deeplab.DeepLabV3Plus(dilation_rates=(1, 2, 3), features=32, output_stride=stride)
    model = network([_SEGMENTATION, network_cases.DEPTH], _SIZE)
    images = tf.random.stateless_uniform((2, *_SIZE, 3), (1, 2), maxval=255.0)
    with tf.GradientTape() as tape:
      raw = model(images, training=True)
      loss = tf.add_n([tf.reduce_mean(tf.square(value - 1)) for value in raw.values()])
    self.assertEqual(raw["segmentation"].shape, (2, _SIZE[0] // stride, _SIZE[1] // stride, 5))
    self.assertEqual(raw["depth"].shape[-1], 1)
    self.assertEqual(raw["depth"].dtype, tf.float32)
    for variable, gradient in zip(
      model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
    ):
      self.assertIsNotNone(gradient, variable.name)
      self.assertTrue(np.all(np.isfinite(gradient)), variable.name)

  def test_parameter_count_is_that_of_keras_cv_and_nothing_is_downloaded(self):
    classes = network_cases.FakeTask("segmentation", 19)
    with mock.patch.object(tf.keras.utils, "get_file", side_effect=AssertionError):
      model = deeplab.DeepLabV3Plus()([classes], _SIZE)
      backbone = keras_cv_backbone.KerasCvBackbone("resnet18_v2").build_backbone((*_SIZE, 3))
    published = keras_cv_backbone.keras_cv_models().DeepLabV3Plus(num_classes=19, backbone=backbone)
    # Theirs counts a normalisation of 512 channels that nothing reads, and has no bias at the end.
    self.assertEqual(_count(model), _count(published) - 2 * 512 + 19)
    self.assertEqual(_count(model), 15_392_883)

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "multiples of 32"):
      deeplab.DeepLabV3Plus()([_SEGMENTATION], (48, 96))
    with self.assertRaisesRegex(ValueError, "output_stride"):
      deeplab.DeepLabV3Plus(output_stride=8)


if __name__ == "__main__":
  tf.test.main()
