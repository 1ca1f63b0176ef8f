"""Tests of networks/keras_cv_backbone.py."""

# bazel: size=medium

import os

import tensorflow as tf

from tests.networks import network_cases
from tf_taskology.networks import keras_cv_backbone

_ARGUMENTS = dict(
  stackwise_filters=[64, 16, 24, 32],
  stackwise_blocks=[2, 2, 2, 2],
  stackwise_strides=[1, 2, 2, 2],
  block_type="basic_block",
)
_SMALL = dict(backbone="ResNetV2Backbone", arguments=_ARGUMENTS, decoder_channels=16)


class KerasCvBackboneTest(network_cases.NetworkCases, tf.test.TestCase):
  image_size = (64, 96)
  wrong_size = (48, 96)
  stride = 4

  def network(self):
    return keras_cv_backbone.KerasCvBackbone(**_SMALL)

  def test_variant(self):
    network = keras_cv_backbone.KerasCvBackbone("csp_darknet_tiny", output_stride=8)
    model = network((network_cases.DEPTH,), (64, 64))
    self.assertEqual(model.output_shape["depth"], (None, 8, 8, 1))

  def test_reads_a_local_preset_folder_with_weights(self):
    from keras_cv.src.utils import preset_utils

    models = keras_cv_backbone.keras_cv_models()
    backbone = models.ResNetV2Backbone(**_ARGUMENTS, include_rescaling=True)
    folder = os.path.join(self.get_temp_dir(), "preset")
    preset_utils.save_to_preset(backbone, folder)
    model = keras_cv_backbone.KerasCvBackbone(folder)((network_cases.DEPTH,), (64, 64))
    inside = model.get_layer("backbone").get_layer("conv1_conv").kernel
    self.assertAllEqual(inside, backbone.get_layer("conv1_conv").kernel)

  def test_reads_a_local_weights_file(self):
    models = keras_cv_backbone.keras_cv_models()
    backbone = models.ResNetV2Backbone(**_ARGUMENTS, include_rescaling=True)
    path = os.path.join(self.get_temp_dir(), "backbone.weights.h5")
    backbone.save_weights(path)
    network = keras_cv_backbone.KerasCvBackbone(**_SMALL, weights=path)
    inside = network((network_cases.DEPTH,), (64, 64)).get_layer("backbone").get_layer("conv1_conv")
    self.assertAllEqual(inside.kernel, backbone.get_layer("conv1_conv").kernel)

  def test_an_unknown_backbone_lists_what_there_is(self):
    with self.assertRaisesRegex(ValueError, "'resnet19'.*resnet18_v2.*ResNetV2Backbone"):
      keras_cv_backbone.KerasCvBackbone("resnet19")((network_cases.DEPTH,), (64, 64))

  def test_missing_weights(self):
    with self.assertRaisesRegex(ValueError, "'/nowhere.h5' does not exist"):
      keras_cv_backbone.KerasCvBackbone(weights="/nowhere.h5")


if __name__ == "__main__":
  tf.test.main()
