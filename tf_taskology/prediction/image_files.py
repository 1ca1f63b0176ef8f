"""Image files that somebody wants predictions for: finding them, looking at them, decoding them."""

import collections
import contextlib
import dataclasses
import glob
import itertools
import os
import re
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageOps

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_ORIENTATION = 0x0112  # EXIF: how the camera was held
_UPRIGHT = (0, 1)


class BadImage(ValueError):
  """A file that is no image, or a broken one."""


@dataclasses.dataclass(frozen=True)
class ImageFile:
  """An image file.

  Attributes:
    path: where it is.
    name: what its predictions are called: its path below the folder that was named, without the ending. Unique.
    next_path: where the frame after it is, for models that look at two; None for the others.
  """

  path: str
  name: str
  next_path: str | None = None


@dataclasses.dataclass(frozen=True)
class Header:
  """What an image file says of itself.

  Attributes:
    size: (height, width) as seen upright.
    is_plain_jpeg: whether a model that decodes JPEG by itself sees what people see: grey or RGB, not to be turned.
  """

  size: tuple[int, int]
  is_plain_jpeg: bool


def find(
  places: Sequence[str],
  exclude: str | None = None,
  endings: tuple[str, ...] = ENDINGS,
  what: str = "images",
) -> list[ImageFile]:
  """The image files at some places, in natural order (9 before 10).

  Args:
    places: files, folders (with all that is below them) or patterns such as "frames/*.jpg".
    exclude: a folder that is left out, with all that is below it.
    endings: of the files.
    what: what they are called in messages; also the name of the flag.

  Raises:
    ValueError: a place does not exist or has no images, or two images would get one name.
  """
  if not places:
    raise ValueError(f"No {what} were named: give --{what}=<file, folder or pattern>.")
  found: dict[str, tuple[str, str]] = {}
  for place in places:
    images = [each for each in _at(place, endings) if not _is_below(each[0], exclude)]
    if not images:
      raise ValueError(
        f"There are no {what} in {place!r}. Expected files that end in {', '.join(endings)}."
      )
    found.update({os.path.abspath(path): (path, name) for path, name in images})
  return _named(found.values())


def paired(images: Sequence[ImageFile]) -> list[ImageFile]:
  """The images with the frame after each: the next one of the same folder. The last one of a folder is left out.

  Raises:
    ValueError: no folder has two images.
  """
  pairs = [
    dataclasses.replace(image, next_path=following.path)
    for image, following in itertools.pairwise(images)
    if os.path.dirname(image.path) == os.path.dirname(following.path)
  ]
  if not pairs:
    raise ValueError(
      f"The model looks at two frames of a video: expected two or more images in one folder. Received {len(images)} in "
      "folders of their own."
    )
  return pairs


def look(path: str) -> Header:
  """Reads the beginning of an image file.

  Raises:
    BadImage: it is missing, or no image.
  """
  with _explained(path), Image.open(path) as image:
    turned = image.getexif().get(_ORIENTATION, 1)
    size = (image.width, image.height) if turned in (5, 6, 7, 8) else (image.height, image.width)
    plain = image.format == "JPEG" and image.mode in ("L", "RGB") and turned in _UPRIGHT
    return Header(size, plain)


def decode_pair(image: ImageFile) -> np.ndarray:
  """An image and the frame after it, [height, width, 6] uint8.

  Raises:
    BadImage: one of them is missing, no image, or broken, or their sizes differ.
  """
  frames = [decode(path) for path in (image.path, image.next_path)]
  if frames[0].shape != frames[1].shape:
    sizes = " and ".join(f"{frame.shape[1]}x{frame.shape[0]}" for frame in frames)
    raise BadImage(
      f"{image.path!r} and the frame after it, {image.next_path!r}, differ in size: {sizes} pixels."
    )
  return np.concatenate(frames, axis=-1)


def decode(path: str) -> np.ndarray:
  """An image as people see it, [height, width, 3] uint8: turned upright, grey repeated, transparency ignored.

  Raises:
    BadImage: it is missing, no image, or broken anywhere.
  """
  with _explained(path), Image.open(path) as image:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
      grey = (np.asarray(upright) >> 8).astype(np.uint8)
      return np.repeat(grey[..., np.newaxis], 3, axis=-1)
    return np.array(upright.convert("RGB"))


@contextlib.contextmanager
def _explained(path):
  """Turns whatever goes wrong with an image file into BadImage."""
  try:
    yield
  # PIL says SyntaxError of broken PNGs.
  except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    raise BadImage(f"Cannot read image {path!r}: {reason or type(error).__name__}.") from error


def _at(place, endings) -> Iterable[tuple[str, str]]:
  """(path, path below the named folder) of the images at one place."""
  if os.path.isfile(place):
    return [(place, os.path.basename(place))]
  if os.path.isdir(place):
    return _below(place, endings)
  matches = sorted(glob.glob(place, recursive=True), key=_natural)
  if not matches:
    raise ValueError(f"There is no file or folder {place!r}.")
  return [(path, os.path.basename(path)) for path in matches if path.lower().endswith(endings)]


def _below(folder, endings):
  paths = []
  for parent, folders, files in os.walk(folder):
    folders[:] = [name for name in folders if not name.startswith(".")]
    paths += [
      os.path.join(parent, name)
      for name in files
      if name.lower().endswith(endings) and not name.startswith(".")
    ]
  return [(path, os.path.relpath(path, folder)) for path in sorted(paths, key=_natural)]


def _is_below(path, folder):
  if folder is None:
    return False
  folder = os.path.abspath(folder)
  return os.path.commonpath([os.path.abspath(path), folder]) == folder


def _natural(path):
  return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", path)]


def _named(found) -> list[ImageFile]:
  """Names without the ending, or with it where two files differ in nothing else."""
  found = list(found)
  stems = [os.path.splitext(name)[0] for _, name in found]
  counts = collections.Counter(stems)
  names = [name if counts[stem] > 1 else stem for stem, (_, name) in zip(stems, found, strict=True)]
  seen = {}
  for name, (path, _) in zip(names, found, strict=True):
    if name in seen:
      raise ValueError(
        f"The predictions of {seen[name]!r} and {path!r} would both be called {name!r}. "
        "Name the folder above them, or one of them at a time."
      )
    seen[name] = path
  return [ImageFile(path, name) for name, (path, _) in zip(names, found, strict=True)]
