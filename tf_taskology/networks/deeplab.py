"""DeepLabV3+ of keras-cv, for any task that takes frames."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tf_taskology.networks import keras_cv_backbone, layers

_STRIDE = 4
_MULTIPLE = 32


class DeepLabV3Plus:
  """Builds keras-cv's DeepLabV3+ (atrous pyramid on stride 32, joined with stride 4).

  Its last layer is replaced by one convolution per task, without softmax, at stride 4. Inside, keras-cv
  upsamples with half-pixel centres, so that its features lie half a coarse pixel off the grid that
  predictions here share; training makes up for it. 15,392,883 trainable parameters with resnet18_v2 and 19 classes, as
  keras-cv's own.

  Args:
    backbone: see `keras_cv_backbone.KerasCvBackbone`; one with pyramid levels of strides 4 and 32.
    arguments: see there.
    weights: see there; None trains from random weights.
    dilation_rates: of the atrous pyramid; keras-cv has (6, 12, 18), for larger images.
    features: channels of the last layer before the heads.
    output_stride: 1, 2 or 4; below 4 raw predictions are upsampled.
    name: of the Keras model.

  Raises:
    ValueError: as `KerasCvBackbone`.
  """

  def __init__(
    self,
    backbone: str = "resnet18_v2",
    arguments: Mapping | None = None,
    weights: str | None = None,
    dilation_rates: Sequence[int] = (6, 12, 18),
    features: int = 256,
    output_stride: int = 4,
    name: str = "deeplab_v3_plus",
  ):
    self._backbone = keras_cv_backbone.KerasCvBackbone(backbone, arguments, weights)
    self._dilation_rates = tuple(dilation_rates)
    self._features = features
    self._output_stride = layers.check_output_stride("DeepLabV3Plus", output_stride, (1, 2, 4))
    self._name = name

  def __call__(self, tasks: Sequence, image_size: Sequence[int]) -> tf.keras.Model:
    """Builds the network.

    Args:
      tasks: tasks to perform, sharing everything but the last convolution.
      image_size: (height, width) in pixels, multiples of 32.

    Returns:
      Keras model: "image" [N, H, W, 3] float32 in 0..255 -> {task name: [N, H/s, W/s, raw_channels]}.

    Raises:
      ValueError: the image size or the backbone's name does not fit.
    """
    height, width = layers.check_image_size("DeepLabV3Plus", image_size, _MULTIPLE)
    models = keras_cv_backbone.keras_cv_models()
    from keras_cv import layers as cv_layers  # after the import that silences what keras-cv prints

    last = tf.keras.Sequential(
      [
        tf.keras.layers.Conv2D(self._features, 1, use_bias=False, name="features_conv"),
        tf.keras.layers.BatchNormalization(name="features_norm"),
        tf.keras.layers.ReLU(name="features_relu"),
      ],
      name="features",
    )
    deeplab = models.DeepLabV3Plus(
      num_classes=self._features,
      backbone=self._backbone.build_backbone((height, width, 3)),
      spatial_pyramid_pooling=cv_layers.SpatialPyramidPooling(
        dilation_rates=list(self._dilation_rates)
      ),
      segmentation_head=last,
    )
    extractor = tf.keras.Model(deeplab.inputs, deeplab.outputs[0], name="deeplab")
    image = tf.keras.Input((height, width, 3), name="image")
    outputs = layers.heads(tasks, extractor(image), kernel_size=1)
    factor = _STRIDE // self._output_stride
    if factor > 1:
      outputs = {
        name: layers.Upsample(factor, dtype="float32", name=f"{name}_upsample")(raw)
        for name, raw in outputs.items()
      }
    return tf.keras.Model(image, outputs, name=self._name)
