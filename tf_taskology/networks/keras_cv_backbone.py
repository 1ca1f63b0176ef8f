"""Any keras-cv backbone with a light decoder."""

import contextlib
import io
import os
from collections.abc import Mapping, Sequence

import tensorflow as tf

from tf_taskology.networks import layers

# Published variants by their size alone (keras-cv would download these few numbers): class and arguments.
_RESNET = dict(stackwise_filters=[64, 128, 256, 512], stackwise_strides=[1, 2, 2, 2])
VARIANTS = {
  "resnet18_v2": (
    "ResNetV2Backbone",
    dict(**_RESNET, stackwise_blocks=[2, 2, 2, 2], block_type="basic_block"),
  ),
  "resnet34_v2": (
    "ResNetV2Backbone",
    dict(**_RESNET, stackwise_blocks=[3, 4, 6, 3], block_type="basic_block"),
  ),
  "resnet50_v2": (
    "ResNetV2Backbone",
    dict(**_RESNET, stackwise_blocks=[3, 4, 6, 3], block_type="block"),
  ),
  "resnet101_v2": (
    "ResNetV2Backbone",
    dict(**_RESNET, stackwise_blocks=[3, 4, 23, 3], block_type="block"),
  ),
  "csp_darknet_tiny": (
    "CSPDarkNetBackbone",
    dict(stackwise_channels=[48, 96, 192, 384], stackwise_depth=[1, 3, 3, 1]),
  ),
  "csp_darknet_s": (
    "CSPDarkNetBackbone",
    dict(stackwise_channels=[64, 128, 256, 512], stackwise_depth=[1, 3, 3, 1]),
  ),
}


class KerasCvBackbone:
  """Builds a keras-cv backbone, whose pyramid levels a decoder joins from coarse to fine.

  Nothing is downloaded: a backbone is given by its variant, its class, or a folder, and weights by a local file.

  Args:
    backbone: a name in `VARIANTS`; a class in `keras_cv.models` ("ResNetV2Backbone"), with `arguments`; or the path
      of a folder with a keras-cv preset (config.json, and model.weights.h5 if it has weights).
    arguments: further constructor arguments of a class or variant.
    weights: path of a Keras weights file for the backbone; None trains from random weights (or the folder's).
    decoder_channels: of every level of the decoder.
    output_stride: prediction (x, y) is at image pixel (s x, s y); one of the backbone's pyramid strides, usually
      2, 4, 8, ....
    max_stride: of the coarsest level that is used; the image size must be a multiple of it.
    name: of the Keras model.

  Raises:
    ValueError: `weights` or `arguments` do not fit `backbone`.
  """

  def __init__(
    self,
    backbone: str = "resnet18_v2",
    arguments: Mapping | None = None,
    weights: str | None = None,
    decoder_channels: int = 64,
    output_stride: int = 4,
    max_stride: int = 32,
    name: str = "keras_cv_backbone",
  ):
    if weights is not None and not os.path.exists(weights):
      raise ValueError(
        f"KerasCvBackbone: weights must be a local file, but {weights!r} does not exist."
      )
    if os.path.isdir(backbone) and arguments:
      raise ValueError(
        f"KerasCvBackbone: {backbone!r} is a folder with its own config; arguments must be empty."
      )
    self._backbone = backbone
    self._arguments = dict(arguments or {})
    self._weights = weights
    self._decoder_channels = decoder_channels
    self._output_stride = output_stride
    self._max_stride = max_stride
    self._name = name

  def __call__(self, tasks: Sequence, image_size: Sequence[int]) -> tf.keras.Model:
    """Builds the network.

    Args:
      tasks: tasks to perform, sharing everything but the last convolution.
      image_size: (height, width) in pixels, multiples of `max_stride`.

    Returns:
      Keras model: "image" [N, H, W, 3] float32 in 0..255 -> {task name: [N, H/s, W/s, raw_channels] float32}.

    Raises:
      ValueError: the image size, the backbone's name or the output stride does not fit.
    """
    height, width = layers.check_image_size("KerasCvBackbone", image_size, self._max_stride)
    backbone = self.build_backbone((height, width, 3))
    levels = {
      2 ** int(str(key).removeprefix("P")): name
      for key, name in backbone.pyramid_level_inputs.items()
    }
    strides = sorted(
      stride for stride in levels if self._output_stride <= stride <= self._max_stride
    )
    layers.check_output_stride("KerasCvBackbone", self._output_stride, sorted(levels))
    image = tf.keras.Input((height, width, 3), name="image")
    extractor = tf.keras.Model(
      backbone.inputs,
      [backbone.get_layer(levels[stride]).output for stride in strides],
      name="backbone",
    )
    features = extractor(image)
    features = features if isinstance(features, list) else [features]
    x = self._decode(dict(zip(strides, features, strict=True)))
    return tf.keras.Model(image, layers.heads(tasks, x), name=self._name)

  def build_backbone(self, input_shape: Sequence[int]) -> tf.keras.Model:
    """The keras-cv backbone alone, (height, width, 3) in 0..255, with its weights if there are any.

    Raises:
      ValueError: the backbone's name is not known.
    """
    models = keras_cv_models()
    if os.path.isdir(self._backbone):
      backbone = models.Backbone.from_preset(self._backbone, input_shape=input_shape)
    else:
      class_name, arguments = VARIANTS.get(self._backbone, (self._backbone, {}))
      classes = sorted(name for name in dir(models) if name.endswith("Backbone"))
      if class_name not in classes:
        raise ValueError(
          f"KerasCvBackbone: backbone={self._backbone!r} is no variant {sorted(VARIANTS)}, no folder, and no class "
          f"of keras_cv.models {classes}."
        )
      arguments = {"include_rescaling": True, **arguments, **self._arguments}
      backbone = getattr(models, class_name)(input_shape=input_shape, **arguments)
    if self._weights is not None:
      backbone.load_weights(self._weights)
    return backbone

  def _decode(self, features):
    """{stride: feature} -> features at the output stride."""
    x, coarser = None, None
    for stride in sorted(features, reverse=True):
      lateral = tf.keras.layers.Conv2D(self._decoder_channels, 1, name=f"lateral_stride{stride}")
      y = lateral(features[stride])
      if x is not None:
        x = layers.Upsample(coarser // stride, name=f"up_stride{stride}")(x)
        y = tf.keras.layers.Add(name=f"add_stride{stride}")([x, y])
      convolution = tf.keras.layers.Conv2D(
        self._decoder_channels, 3, padding="same", activation="relu", name=f"decode_stride{stride}"
      )
      x, coarser = convolution(y), stride
    return x


def keras_cv_models():
  """keras_cv.models, imported only by networks that use it, without the line that its import prints."""
  with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    import keras_cv
  return keras_cv.models
