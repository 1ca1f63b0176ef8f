"""Segmentation network of Taskology section 4.1: NAS-FPN on a keras-cv backbone, for any task that takes frames."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tf_taskology.networks import keras_cv_backbone, layers

# Merging cells of one repeat (Ghiasi et al., CVPR 2019, figure 6): level of the result, how it is combined, which two
# nodes (0..4 are the pyramid's levels 3..7, then cells in this order), and whether it is a level of the next pyramid.
CELLS = (
  (4, "attention", (1, 3), False),
  (4, "sum", (1, 5), False),
  (3, "sum", (0, 6), True),
  (4, "sum", (6, 7), True),
  (5, "attention", (7, 8), True),
  (7, "attention", (6, 9), True),
  (6, "attention", (9, 10), True),
)
_LEVELS = (3, 4, 5, 6, 7)
_FINEST_STRIDE = 2 ** _LEVELS[0]


class NasFpn:
  """Builds a backbone, a pyramid of strides 8 to 128, merging cells, and a head on stride 8.

  Cells and constants are those of the public TensorFlow code. Sizes need not be multiples of 128: levels round up, and
  what is upsampled is cropped. With resnet50_v2, 5 repeats and 19 classes it has 43,928,979 trainable parameters: the
  backbone 23,515,264, the pyramid's convolutions 919,808, each repeat 4,134,144 and the head 1,185,555. Of the last
  repeat the head reads level 3 alone, so its last four cells (2,362,368 parameters) are left out; the public code has
  them, without use.

  Args:
    backbone: see `keras_cv_backbone.KerasCvBackbone`; one with pyramid levels of strides 8, 16 and 32.
    arguments: see there.
    weights: see there; None trains from random weights.
    filters: channels of all levels, cells and the head.
    repeats: how often the cells are stacked: 5 in the public code, 7 in NAS-FPN's best detectors.
    head_convolutions: 3x3 convolutions before the last layer.
    output_stride: 1, 2, 4 or 8; below 8 raw predictions are upsampled.
    momentum: of batch normalisation's running statistics, in cells and head; shorter trainings want less.
    name: of the Keras model.

  Raises:
    ValueError: an argument is out of its range, or as `KerasCvBackbone`.
  """

  def __init__(
    self,
    backbone: str = "resnet50_v2",
    arguments: Mapping | None = None,
    weights: str | None = None,
    filters: int = 256,
    repeats: int = 5,
    head_convolutions: int = 2,
    output_stride: int = 4,
    momentum: float = 0.99,
    name: str = "nas_fpn",
  ):
    for field, value, least in (
      ("filters", filters, 1),
      ("repeats", repeats, 1),
      ("head_convolutions", head_convolutions, 0),
    ):
      if value < least:
        raise ValueError(f"NasFpn: {field} must be {least} or more, got {value}.")
    self._backbone = keras_cv_backbone.KerasCvBackbone(backbone, arguments, weights)
    self._filters = filters
    self._repeats = repeats
    self._head_convolutions = head_convolutions
    self._output_stride = layers.check_output_stride("NasFpn", output_stride, (1, 2, 4, 8))
    self._momentum = momentum
    self._name = name

  def __call__(self, tasks: Sequence, image_size: Sequence[int]) -> tf.keras.Model:
    """Builds the network.

    Args:
      tasks: tasks to perform, sharing everything but the last convolution.
      image_size: (height, width) in pixels, multiples of 8.

    Returns:
      Keras model: "image" [N, H, W, 3] float32 in 0..255 -> {task name: [N, H/s, W/s, raw_channels] float32}.

    Raises:
      ValueError: the image size or the backbone does not fit.
    """
    height, width = layers.check_image_size("NasFpn", image_size, _FINEST_STRIDE)
    image = tf.keras.Input((height, width, 3), name="image")
    pyramid = self._pyramid(self._extractor((height, width, 3))(image))
    for repeat in range(1, self._repeats + 1):
      pyramid = self._merge(pyramid, f"repeat{repeat}")
    x = pyramid[0]
    for i in range(1, self._head_convolutions + 1):
      x = self._convolve(x, 3, f"head{i}", use_bias=False)
      x = tf.keras.layers.ReLU(name=f"head{i}_relu")(x)
    outputs = layers.heads(tasks, x, kernel_size=1)
    factor = _FINEST_STRIDE // self._output_stride
    if factor > 1:
      outputs = {
        name: layers.Upsample(factor, dtype="float32", name=f"{name}_upsample")(raw)
        for name, raw in outputs.items()
      }
    return tf.keras.Model(image, outputs, name=self._name)

  def _extractor(self, input_shape):
    """The backbone with its features of levels 3, 4 and 5."""
    backbone = self._backbone.build_backbone(input_shape)
    names = {int(str(k).removeprefix("P")): v for k, v in backbone.pyramid_level_inputs.items()}
    missing = [2**level for level in _LEVELS[:3] if level not in names]
    if missing:
      raise ValueError(
        f"NasFpn needs features of strides 8, 16 and 32, but {backbone.name!r} has none of {missing}."
      )
    features = [backbone.get_layer(names[level]).output for level in _LEVELS[:3]]
    return tf.keras.Model(backbone.inputs, features, name="backbone")

  def _pyramid(self, features):
    """Features of levels 3 to 7, all with `filters` channels; the last two are pooled from level 5."""
    pyramid = []
    for level, x in zip(_LEVELS[:3], features, strict=True):
      pyramid.append(x if x.shape[-1] == self._filters else self._convolve(x, 1, f"lateral{level}"))
    for level in _LEVELS[3:]:
      pyramid.append(_pool(pyramid[-1], 2, f"pool{level}"))
    return pyramid

  def _merge(self, pyramid, name):
    """One repeat of the cells: features of levels 3 to 7 -> the same."""
    nodes = list(zip(_LEVELS, pyramid, strict=True))
    sizes = {level: x.shape[1:3] for level, x in nodes}
    unused = set(range(len(nodes)))
    for i, (level, combination, inputs, is_output) in enumerate(CELLS, 1):
      cell = f"{name}_cell{i}"
      unused -= set(inputs)
      # Attention asks for the coarser node first; of equal levels, for the first.
      pair = sorted((nodes[j] for j in inputs), key=lambda node: -node[0])
      if combination == "sum":
        pair = [nodes[j] for j in inputs]
      resized = [
        _resample(x, own, level, sizes[level], f"{cell}_input{k}")
        for k, (own, x) in enumerate(pair, 1)
      ]
      if combination == "attention":
        resized = _attend(*resized, cell)
      if is_output:
        left_over = [j for j in sorted(unused) if nodes[j][0] == level]
        resized += [nodes[j][1] for j in left_over]
        unused -= set(left_over)
      x = tf.keras.layers.Add(name=f"{cell}_add")(resized)
      x = tf.keras.layers.ReLU(name=f"{cell}_relu")(x)
      nodes.append((level, self._convolve(x, 3, cell)))
      unused.add(len(nodes) - 1)
    outputs = dict(nodes[len(_LEVELS) :][-len(_LEVELS) :])
    return [outputs[level] for level in _LEVELS]

  def _convolve(self, x, kernel_size, name, use_bias=True):
    """Convolution and batch normalisation; biases are superfluous but in the public code."""
    x = tf.keras.layers.Conv2D(
      self._filters,
      kernel_size,
      padding="same",
      use_bias=use_bias,
      kernel_initializer=tf.keras.initializers.VarianceScaling(
        2.0, "fan_out", "untruncated_normal"
      ),
      name=name,
    )(x)
    return tf.keras.layers.BatchNormalization(
      momentum=self._momentum, epsilon=1e-3, name=f"{name}_norm"
    )(x)


def _attend(high, low, name):
  """[high, low times what the maximum of high over the image lets through], to be added."""
  gate = tf.keras.layers.GlobalMaxPooling2D(keepdims=True, name=f"{name}_maximum")(high)
  gate = tf.keras.layers.Activation("sigmoid", name=f"{name}_gate")(gate)
  return [high, tf.keras.layers.Multiply(name=f"{name}_gated")([low, gate])]


def _pool(x, factor, name):
  return tf.keras.layers.MaxPooling2D(factor, factor, padding="same", name=name)(x)


def _resample(x, level, target_level, size, name):
  """A feature at another level of the pyramid: max-pooled to coarser ones, nearest neighbours to finer ones."""
  if level < target_level:
    return _pool(x, 2 ** (target_level - level), name)
  if level == target_level:
    return x
  x = layers.Upsample(2 ** (level - target_level), "nearest", name=name)(x)
  crop = [(0, side - wanted) for side, wanted in zip(x.shape[1:3], size, strict=True)]
  if any(end for _, end in crop):
    x = tf.keras.layers.Cropping2D(crop, name=f"{name}_crop")(x)
  return x
