"""How a model's signature relates to what peers are asked and what tasks call their outputs.

Our own published modules need nothing here. A model that somebody else exported becomes a peer with a `Mapping`, in gin:

  from tf_taskology.peers import mapping
  mapping.ForeignOutput.tensor = "disparity"
  mapping.ForeignOutput.invert = True
  mapping.Mapping.outputs = {"depth": @mapping.ForeignOutput()}
  mapping.Mapping.image_input = "input_1"
  mapping.Mapping.scale = 0.00392156862  # 0..255 -> 0..1
"""

import dataclasses
from collections.abc import Mapping as MappingType, Sequence

import numpy as np
import tensorflow as tf

from tf_taskology.peers import exporting, peer, resizing

LAYOUTS = ("NHWC", "NCHW")


@dataclasses.dataclass(frozen=True)
class ForeignOutput:
  """How one tensor of a foreign model becomes a prediction. Applied in the order of the attributes.

  Attributes:
    tensor: the tensor's name in the signature.
    squeeze: axes of size 1 to drop.
    layout: "NHWC" or "NCHW"; a tensor [n, h, w] gets its channel axis by itself.
    channels: indices of the tensor's channels that make the prediction's channels; None: all, in order. For normals in
      another frame: which axis goes where.
    scale: number, or one per channel (signs, for axes that point the other way).
    offset: number, or one per channel.
    invert: take 1 / value at the end, as for disparity: depth = 1 / (scale * disparity + offset).
  """

  tensor: str
  squeeze: Sequence[int] = ()
  layout: str = "NHWC"
  channels: Sequence[int] | None = None
  scale: float | Sequence[float] = 1.0
  offset: float | Sequence[float] = 0.0
  invert: bool = False

  def __post_init__(self):
    _check_layout("ForeignOutput", self.layout)

  def __call__(self, value: np.ndarray) -> np.ndarray:
    """The tensor as a prediction, [n, h, w, channels] float32."""
    value = np.asarray(value, np.float32)
    if self.squeeze:
      value = np.squeeze(value, tuple(self.squeeze))
    if value.ndim == 3:
      value = value[..., np.newaxis]
    elif self.layout == "NCHW":
      value = np.moveaxis(value, 1, -1)
    if self.channels is not None:
      value = value[..., list(self.channels)]
    value = value * np.asarray(self.scale, np.float32) + np.asarray(self.offset, np.float32)
    if self.invert:
      # Disparity 0 is infinitely far: it becomes depth 0, "missing".
      value = np.divide(1.0, value, out=np.zeros_like(value), where=value > 0)
    return value


@dataclasses.dataclass(frozen=True)
class Mapping:
  """How to ask a foreign model: its tensor is ((image * scale) - mean) / std, resized first if `size` is given.

  Of a pair of images, in six channels, each is converted by itself.

  Attributes:
    outputs: prediction name -> ForeignOutput.
    model_name: name of the model on its server; None: the peer's name.
    signature: signature to call.
    image_input: name of the image input.
    dtype: data type of the input, "uint8" or "float32".
    size: (height, width) that the model wants; None: as it comes.
    layout: "NHWC" or "NCHW".
    reverse_channels: send blue, green, red.
    scale: number by which 0..255 is multiplied.
    mean: number or one per channel (in the order sent), in scaled units.
    std: number or one per channel, likewise.
  """

  outputs: MappingType[str, ForeignOutput]
  model_name: str | None = None
  signature: str = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
  image_input: str = "image"
  dtype: str = "float32"
  size: Sequence[int] | None = None
  layout: str = "NHWC"
  reverse_channels: bool = False
  scale: float = 1.0
  mean: float | Sequence[float] = 0.0
  std: float | Sequence[float] = 1.0

  def __post_init__(self):
    _check_layout("Mapping", self.layout)
    if self.dtype not in ("uint8", "float32"):
      raise ValueError(f"Mapping.dtype must be 'uint8' or 'float32'. Received: {self.dtype!r}.")
    if self.dtype == "uint8" and (self.scale, self.mean, self.std) != (1.0, 0.0, 1.0):
      raise ValueError(
        "Mapping with dtype 'uint8' sends 0..255 as it is; leave scale, mean and std alone. "
        f"Received: scale={self.scale}, mean={self.mean}, std={self.std}."
      )

  @property
  def inputs(self) -> dict[str, str]:
    """Inputs of the signature: name -> data type."""
    return {self.image_input: self.dtype}

  def request(self, inputs: MappingType[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a peer is asked about, as in `Peer.predict`, by the names of the signature's inputs.

    Raises:
      WrongSignature: it is no image.
    """
    if "image" not in inputs:
      raise peer.WrongSignature(
        f"A Mapping asks foreign models about images. The unlabelled samples have {sorted(inputs)}."
      )
    return {self.image_input: self.encode(inputs["image"])}

  @property
  def stamped(self) -> bool:
    """Whether the model answers its step and publish time."""
    return False

  def tensors(self) -> list[str]:
    """Names of the tensors to ask for."""
    return sorted({output.tensor for output in self.outputs.values()})

  def encode(self, image: np.ndarray) -> np.ndarray:
    """uint8 [n, height, width, 3] (6 for pairs) -> what the model takes."""
    if self.size is not None and tuple(image.shape[1:3]) != tuple(self.size):
      image = resizing.bilinear(tf.cast(image, tf.float32), tuple(self.size)).numpy()
    channels = image.shape[3]
    image = image.reshape(*image.shape[:3], -1, 3)
    if self.reverse_channels:
      image = image[..., ::-1]
    if self.dtype == "uint8":
      if image.dtype != np.uint8:
        image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    else:
      image = np.asarray(image, np.float32) * np.float32(self.scale)
      image = (image - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
    image = image.reshape(*image.shape[:3], channels)
    if self.layout == "NCHW":
      image = np.moveaxis(image, -1, 1)
    return np.ascontiguousarray(image)

  def decode(self, arrays: MappingType[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tensors of the answer by name -> predictions by output name."""
    return {name: output(arrays[output.tensor]) for name, output in self.outputs.items()}


class OwnMapping(Mapping):
  """The mapping of a module that this system published: nothing to convert, step and publish time come along.

  Args:
    outputs: names of the predictions.
    model_name: see `Mapping`.
    inputs: field -> data type of what it is asked about.
  """

  def __init__(self, outputs, model_name=None, inputs: MappingType[str, str] | None = None):
    super().__init__(
      outputs={name: ForeignOutput(name) for name in outputs},
      model_name=model_name,
      signature=exporting.PEER_SIGNATURE,
      dtype="uint8",
    )
    object.__setattr__(self, "_inputs", dict(inputs or {"image": "uint8"}))  # of a frozen class

  @property
  def inputs(self):
    return self._inputs

  def request(self, inputs):
    return {name: inputs[name] for name in self._inputs}

  @property
  def stamped(self):
    return True

  def tensors(self):
    return [*sorted(self.outputs), exporting.STEP, exporting.PUBLISHED_AT]

  def decode(self, arrays):
    return {name: arrays[name] for name in self.outputs}


def check_covers(name: str, outputs, mapping: Mapping):
  """Raises WrongSignature if the mapping lacks one of the peer's outputs."""
  missing = sorted(set(outputs) - set(mapping.outputs))
  if missing:
    raise peer.WrongSignature(
      f"The mapping of peer {name!r} does not say which tensors are {missing}. It maps: {sorted(mapping.outputs)}."
    )


def _check_layout(where, layout):
  if layout not in LAYOUTS:
    raise ValueError(f"{where}.layout must be one of {LAYOUTS}. Received: {layout!r}.")
