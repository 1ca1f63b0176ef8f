"""A published model as the prediction program sees it, wherever it runs."""

import abc
import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

IMAGE, PAIR, ENCODED, POINTS = "image", "pair", "encoded", "points"
DEFAULT_SIGNATURE, JPEG_SIGNATURE = "serving_default", "serving_jpeg"


class ModelError(ValueError):
  """A model that cannot be used as it was asked to be."""


@dataclasses.dataclass(frozen=True)
class Tensor:
  """An input or an output of a signature.

  Attributes:
    dtype: TensorFlow's name of the type, e.g. "uint8", "string".
    shape: -1 where the size is open; None if the rank is.
  """

  dtype: str
  shape: tuple[int, ...] | None


@dataclasses.dataclass(frozen=True)
class Signature:
  """What a model takes and gives under one name.

  Attributes:
    name: the name.
    inputs: alias -> tensor.
    outputs: alias -> tensor.
  """

  name: str
  inputs: Mapping[str, Tensor]
  outputs: Mapping[str, Tensor]

  @property
  def takes(self) -> str | None:
    """What its input is; None for anything but these.

    IMAGE: one uint8 [n, height, width, 3]. PAIR: one uint8 [n, height, width, 6], a frame and the one after it.
    ENCODED: one string [n], image files. POINTS: "points" float32 [n, points, channels] and "num_points" int32 [n].
    """
    kinds = {name: (t.dtype, t.shape and len(t.shape)) for name, t in self.inputs.items()}
    if kinds == {"points": ("float32", 3), "num_points": ("int32", 1)}:
      return POINTS
    if len(self.inputs) != 1:
      return None
    (tensor,) = self.inputs.values()
    rank = None if tensor.shape is None else len(tensor.shape)
    if tensor.dtype == "uint8" and rank in (4, None) and (tensor.shape or (3,))[-1] in (3, -1):
      return IMAGE
    if tensor.dtype == "uint8" and rank == 4 and tensor.shape[-1] == 6:
      return PAIR
    return ENCODED if tensor.dtype == "string" and rank in (1, None) else None

  @property
  def input_name(self) -> str:
    """The name of the only input."""
    return next(iter(self.inputs))

  def feeds(self, batch) -> Mapping:
    """A batch, as `Model.predict` has it, by the names of the inputs."""
    return batch if self.takes == POINTS else {self.input_name: batch}


@dataclasses.dataclass(frozen=True)
class Answer:
  """Predictions of a batch of n images.

  Attributes:
    outputs: output -> array [n, ...].
    version: the version that answered.
  """

  outputs: Mapping[str, np.ndarray]
  version: int


class Model(abc.ABC):
  """A model. Thread-safe.

  Attributes:
    title: what and where it is, for people.
    signatures: by name.
  """

  title: str
  signatures: Mapping[str, Signature]

  @abc.abstractmethod
  def predict(
    self, signature: Signature, batch: np.ndarray | Sequence[bytes] | Mapping[str, np.ndarray]
  ) -> Answer:
    """Runs a signature on images, uint8 [n, height, width, 3 or 6], on n encoded ones of one size, or on point clouds.

    Point clouds are {"points": float32 [n, points, channels], "num_points": int32 [n]}.
    """

  @abc.abstractmethod
  def close(self) -> None:
    """Frees what it holds."""


@dataclasses.dataclass(frozen=True)
class Choice:
  """Which signatures to call.

  Attributes:
    image: for decoded images, or for point clouds.
    encoded: for JPEG files as they are; None if the model decodes none.
  """

  image: Signature | None
  encoded: Signature | None

  @property
  def takes_pairs(self) -> bool:
    """Whether the model looks at two frames at a time."""
    return self.image is not None and self.image.takes == PAIR

  @property
  def points(self) -> Signature | None:
    """The signature, if it takes point clouds."""
    return self.image if self.image is not None and self.image.takes == POINTS else None

  @property
  def outputs(self) -> Mapping[str, Tensor]:
    """The outputs, which both have alike."""
    return (self.image or self.encoded).outputs


def choose(model: Model, wanted: str | None = None) -> Choice:
  """Finds the signatures to call.

  Args:
    model: the model.
    wanted: the name of one, for all images; None for `serving_jpeg` where it can be used, else `serving_default`.

  Raises:
    ModelError: there is no such signature, or it does not take images.
  """
  name = wanted or DEFAULT_SIGNATURE
  if name not in model.signatures:
    raise ModelError(
      f"{model.title} has no signature {name!r}.{nearest(name, model.signatures)} "
      f"It has: {', '.join(sorted(model.signatures))}."
    )
  signature = model.signatures[name]
  if signature.takes is None:
    taken = ", ".join(f"{key}: {t.dtype} {_shape(t.shape)}" for key, t in signature.inputs.items())
    raise ModelError(
      f"Signature {name!r} of {model.title} takes {taken or 'nothing'}; expected one input, uint8 "
      "[n, height, width, 3 or 6] or string [n], or points float32 [n, points, channels] and num_points int32 [n]."
    )
  if wanted:
    is_encoded = signature.takes == ENCODED
    return Choice(None if is_encoded else signature, signature if is_encoded else None)
  jpeg = model.signatures.get(JPEG_SIGNATURE)
  usable = (
    jpeg is not None
    and jpeg.takes == ENCODED
    and signature.takes == IMAGE
    and set(jpeg.outputs) == set(signature.outputs)
  )
  if signature.takes == ENCODED:
    return Choice(None, signature)
  return Choice(signature, jpeg if usable else None)


def nearest(name: str, names: Iterable[str]) -> str:
  """ " Did you mean 'x'?" or nothing."""
  close = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.6)
  return f" Did you mean {close[0]!r}?" if close else ""


def _shape(shape):
  return "of unknown rank" if shape is None else str(list(shape))
