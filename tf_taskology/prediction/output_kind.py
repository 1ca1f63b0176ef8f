"""What an output of a model is, by its name and shape, and how it is drawn."""

import dataclasses
import enum
from collections.abc import Mapping

import numpy as np

from tf_taskology.evaluation import pictures
from tf_taskology.peers import exporting
from tf_taskology.prediction import model
from tf_taskology.tasks import motion

_FLOATS = ("float16", "bfloat16", "float32", "float64")
_PER_IMAGE = (motion.ROTATION, motion.TRANSLATION, motion.CAMERA)
_LEAST_MOTION = 0.1  # metres; full colour in the picture of a frame in which nothing moves


class Kind(enum.Enum):
  """What one image's part of an output is."""

  DEPTH = "depth"  # [height, width, 1] metres
  NORMALS = "normals"  # [height, width, 3] unit vectors, camera frame
  SEGMENTATION = "segmentation"  # [height, width, classes] logits
  MOTION = "motion of pixels"  # [height, width, 3] metres
  VECTOR = "numbers per image"  # [1, 1, channels], e.g. the camera's motion
  SCALAR = "one number per pixel"
  STAMP = "a number per image"  # step and publish time
  ARRAY = "an array"  # has no picture


@dataclasses.dataclass(frozen=True)
class Range:
  """What the ends of the colour scale stand for."""

  low: float
  high: float


def kinds(outputs: Mapping[str, model.Tensor]) -> dict[str, Kind]:
  """The kind of each output of a signature."""
  return {name: _kind(name, tensor) for name, tensor in outputs.items()}


def listed(found: Mapping[str, Kind]) -> str:
  """The outputs for people: "depth (depth), logits (an array)"; without step and publish time."""
  return ", ".join(f"{n} ({k.value})" for n, k in sorted(found.items()) if k != Kind.STAMP)


def _kind(name, tensor):
  if name in (exporting.STEP, exporting.PUBLISHED_AT):
    return Kind.STAMP
  shape = tensor.shape
  if tensor.dtype not in _FLOATS or shape is None or len(shape) not in (3, 4):
    return Kind.ARRAY
  if len(shape) == 4 and (shape[1:3] == (1, 1) or name in _PER_IMAGE):
    return Kind.VECTOR
  channels = shape[3] if len(shape) == 4 else 1
  if channels == 1:
    return Kind.DEPTH if "depth" in name.lower() else Kind.SCALAR
  if channels == 3 and "normal" in name.lower():
    return Kind.NORMALS
  if channels == 3 and name == motion.MOTION_FIELD:
    return Kind.MOTION
  return Kind.SEGMENTATION if "segmentation" in name.lower() else Kind.ARRAY


def draw(kind: Kind, array: np.ndarray, limits: Range | None = None) -> np.ndarray | None:
  """A picture of one image's output.

  Args:
    kind: what it is.
    array: [height, width] or [height, width, channels].
    limits: of the colour scale; None for the 2nd and 98th percentile of the array.

  Returns:
    [height, width, 3] uint8, larger by a strip with the colour scale where there is one (motion has none: see
    `pictures.colorize_motion`); None for what has no picture.
  """
  if kind in (Kind.STAMP, Kind.ARRAY, Kind.VECTOR):
    return None
  if kind == Kind.SEGMENTATION:
    return pictures.colorize_classes(classes(array))
  array = np.asarray(array, np.float32)
  if kind == Kind.NORMALS:
    return pictures.normals_to_rgb(array)
  if kind == Kind.MOTION:
    lengths = np.linalg.norm(array, axis=-1)
    limits = limits or Range(0.0, max(_percentiles(lengths).high, _LEAST_MOTION))
    return pictures.colorize_motion(array, limits.high)
  array = array if array.ndim == 3 else array[..., np.newaxis]
  if kind == Kind.DEPTH:
    limits = limits or Range(*pictures.depth_range(array[np.isfinite(array)]))
    picture = pictures.colorize_depth(array, limits.low, limits.high)
    return _with_scale(picture, limits, " m")
  limits = limits or _percentiles(array)
  # Shifted above zero, for zero is "missing" in depth.
  shifted = np.where(np.isfinite(array), np.maximum(array - limits.low, 0) + 1.0, 0.0)
  picture = pictures.colorize_depth(shifted, 1.0, 1.0 + limits.high - limits.low)
  return _with_scale(picture, limits, "")


def classes(array: np.ndarray) -> np.ndarray:
  """The class of each pixel of a segmentation's logits: [height, width, 1] uint8."""
  return np.argmax(array, axis=-1)[..., np.newaxis].astype(np.uint8)


def _with_scale(picture, limits, unit):
  return pictures.with_scale(
    picture, pictures.DEPTH_COLORS, f"{limits.low:.3g}{unit}", f"{limits.high:.3g}{unit}"
  )


def _percentiles(array):
  finite = array[np.isfinite(array)]
  if not finite.size:
    return Range(0.0, 1.0)
  low, high = np.percentile(finite, [2, 98])
  return Range(float(low), float(max(high, low + 1e-6)))
