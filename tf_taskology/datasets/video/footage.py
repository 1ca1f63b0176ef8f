"""What a data set on disk holds: clips of frames, their cameras, and how labels are read.

A data set is one subclass of `Footage`; `video_source.VideoSource` makes training samples of any of
them, and `check` looks any of them over.
"""

import abc
import collections
import dataclasses
import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_taskology.datasets.video import image_files, views

SHARES = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}


@dataclasses.dataclass(frozen=True)
class Frame:
  """One image, and what is known of it.

  Attributes:
    name: unique within its clip.
    image: path of the image.
    pose: [4, 4] float64 camera to world, metres; None where it is not known.
    files: label name -> path of the file that it is read from; labels that the frame lacks are left out.
    extra: whatever else the data set needs to read the frame.
  """

  name: str
  image: str
  pose: np.ndarray | None = None
  files: Mapping[str, str] = dataclasses.field(default_factory=dict)
  extra: Any = None

  @property
  def file(self) -> str:
    """What messages name it by."""
    return self.image


@dataclasses.dataclass(frozen=True)
class Clip:
  """Frames of one camera, evenly spaced in time, in their order; or a single image.

  Attributes:
    name: unique within the data set; splits choose clips by it.
    frames: one at least.
    intrinsics: [3, 3] float64, pixels of images of `calibrated_size`; None where there is no calibration.
    calibration: the file and field that the intrinsics are from, or where they were looked for.
    calibrated_size: (height, width) of the images that the intrinsics are for; None where no file says so.
    stored_size: (height, width) of the images on disk; None to read it from the first one.
    extra: whatever else the data set needs to read labels.
  """

  name: str
  frames: tuple[Frame, ...]
  intrinsics: np.ndarray | None = None
  calibration: str = ""
  calibrated_size: tuple[int, int] | None = None
  stored_size: tuple[int, int] | None = None
  extra: Any = None

  @property
  def has_poses(self) -> bool:
    return all(frame.pose is not None for frame in self.frames)


class Footage(abc.ABC):
  """A data set on disk. Making one is light; `clips` lists files and reads the small text ones."""

  @property
  @abc.abstractmethod
  def labels(self) -> tuple[str, ...]:
    """Names of the labels that it can give, see `datasets.element`."""

  @property
  def splits(self) -> Mapping[str, Sequence]:
    """Its usual splits, as the argument `splits` of `video_source.VideoSource`."""
    return SHARES

  @abc.abstractmethod
  def describe(self) -> str:
    """A short name with the folder, for messages."""

  @abc.abstractmethod
  def clips(self) -> list[Clip]:
    """All clips, in a fixed order.

    Raises:
      FileNotFoundError: the folder does not exist.
      ValueError: the files are not laid out as expected, there is no image, or a text file is malformed.
    """

  @abc.abstractmethod
  def read_label(self, name: str, clip: Clip, frame: Frame, view: views.View) -> np.ndarray:
    """A label of a frame that has a file for it, as the sample shows it.

    Args:
      name: one of `labels`.
      clip: of the frame.
      frame: with `name` in `frame.files`.
      view: how stored images become those of samples.

    Returns:
      [*view.size, channels]: depth float32 [.., 1] in metres, 0 = missing; segmentation uint8 [.., 1], train ids of
      `tasks.road_classes`, 255 = missing.

    Raises:
      ValueError: the file cannot be read, or holds what it may not; names file, value and what was expected.
    """

  def read_image(self, clip: Clip, frame: Frame) -> np.ndarray:
    """[height, width, 3] uint8 as stored. Raises ValueError that names the file."""
    del clip
    return image_files.read_colour(frame.image)

  def stored_size(self, clip: Clip) -> tuple[int, int]:
    """(height, width) of the images of a clip."""
    return clip.stored_size or image_files.size(clip.frames[0].image)

  def problem(self, kind: str, frame: Frame, size: tuple[int, int]) -> str:
    """What is wrong with a file as far as its first and last bytes tell; "" if nothing.

    Args:
      kind: "image" or the name of a label.
      frame: whose file it is.
      size: (height, width) of the images of the clip; label images must have it too.
    """
    if kind == "image":
      return image_files.problem(frame.image, size, "the first image of its clip")
    path = frame.files[kind]
    if path.lower().endswith(image_files.ENDINGS):
      return image_files.problem(path, size, f"its image {frame.image!r}")
    return "" if os.path.isfile(path) else "does not exist"


def cut_at_gaps(name: str, frames: Sequence[Frame], numbers: Sequence[int]) -> list[Clip]:
  """Clips of evenly numbered frames: a missing number must not look like fast motion.

  Args:
    name: of the clip; where it is cut, "@" and the name of the first frame follow.
    frames: in order.
    numbers: that of each frame.
  """
  if not frames:
    return []
  parts = [tuple(frames[begin:end]) for begin, end in even_parts(numbers)]
  if len(parts) == 1:
    return [Clip(name, parts[0])]
  return [Clip(f"{name}@{part[0].name}", part) for part in parts]


def even_parts(numbers: Sequence[int]) -> list[tuple[int, int]]:
  """(begin, end) of the longest runs in which numbers grow by the usual step; one run for a single number."""
  steps = np.diff(numbers)
  usual = collections.Counter(steps.tolist()).most_common(1)[0][0] if len(steps) else 1
  bounds = [0, *(np.flatnonzero(steps != usual) + 1).tolist(), len(numbers)]
  return list(itertools.pairwise(bounds))


def name_bytes(name: str) -> bytes:
  """A name as UTF-8; names of files need not be text, and what is none is written as in Python."""
  return name.encode(errors="backslashreplace")


def require_folder(path: str, what: str):
  """Raises FileNotFoundError if there is no such folder."""
  if not os.path.isdir(path):
    raise FileNotFoundError(f"{what} {path!r} does not exist or is no folder.")
