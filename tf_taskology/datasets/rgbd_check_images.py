"""The part of a check that opens images: sizes, corruption, units, ranges, missing depth."""

import dataclasses
import hashlib

import numpy as np
from PIL import Image

_PLAUSIBLE_METRES = (0.3, 15.0)
_POSSIBLE_METRES = (0.1, 80.0)
_SCALES = {
  1000.0: "millimetres",
  5000.0: "the TUM scale",
  100.0: "centimetres",
  256.0: "the KITTI scale",
}


@dataclasses.dataclass(frozen=True)
class Images:
  """What the images have in common.

  Attributes:
    color_size: (height, width) of the first colour image that can be read, or None.
    depth_size: the same of depth.
    summary: (name, value).
  """

  color_size: tuple[int, int] | None
  depth_size: tuple[int, int] | None
  summary: tuple[tuple[str, str], ...]


def check(recording, frames, findings) -> Images:
  """Opens the images of `frames` and adds to `findings`."""
  color_size, summary = _check_color(frames, findings)
  depth_size, depth_summary = _check_depth(recording, frames, findings)
  if color_size and depth_size:
    _check_sizes(recording, color_size, depth_size, findings)
  return Images(color_size, depth_size, (*summary, *depth_summary))


def load(path: str) -> tuple[np.ndarray | None, str]:
  """(pixels, "") of an image file; (None, why not) if it cannot be read to its end."""
  try:
    with Image.open(path) as image:
      image.load()
      return np.asarray(image), ""
  except (OSError, SyntaxError, ValueError) as error:
    return None, str(error).replace(f" {path!r}", "")


def _sizes(paths, shapes, kind, findings):
  """The first size; complains about others."""
  if not shapes:
    return None
  size = shapes[0]
  other = [path for path, shape in zip(paths, shapes, strict=True) if shape != size]
  if other:
    findings.error(
      f"{kind} images that are not {size[1]}x{size[0]} as the first one", other, len(paths)
    )
  return size


def _unreadable(bad, kind, findings):
  for path, reason in bad[:3]:
    findings.error(f"{kind} image cannot be read ({reason})", [path])
  if len(bad) > 3:
    findings.error(f"more {kind} images that cannot be read", [path for path, _ in bad[3:]])


def _check_color(frames, findings):
  bad, paths, shapes, blank, digests, means = [], [], [], [], {}, []
  grey, repeated = False, []
  for frame in frames:
    pixels, reason = load(frame.color)
    if pixels is None:
      bad.append((frame.color, reason))
      continue
    paths.append(frame.color)
    shapes.append(pixels.shape[:2])
    grey = grey or pixels.ndim == 2
    means.append(pixels.mean())
    if pixels.std() < 2.0:
      blank.append(frame.color)
    digest = hashlib.md5(pixels.tobytes()).digest()
    if digest in digests:
      repeated.append(frame.color)
    digests.setdefault(digest, frame.color)
  _unreadable(bad, "colour", findings)
  size = _sizes(paths, shapes, "colour", findings)
  if blank:
    findings.warning("colour images of a single colour", blank, len(frames))
  if repeated:
    findings.warning("colour images that repeat an earlier one exactly", repeated, len(frames))
  if grey:
    findings.note("some colour images are grey; they are read as three equal channels")
  summary = []
  if size:
    summary = [
      ("colour images", f"{size[1]}x{size[0]}, mean brightness {np.mean(means):.0f} of 255")
    ]
  return size, summary


def _check_depth(recording, frames, findings):
  bad, paths, shapes, empty, wrong, values, missing = [], [], [], [], [], [], []
  files = [frame.depth for frame in frames if frame.depth]
  for path in files:
    pixels, reason = load(path)
    if pixels is None:
      bad.append((path, reason))
    elif pixels.ndim != 2 or pixels.dtype.itemsize < 2:
      wrong.append(path)
    else:
      paths.append(path)
      shapes.append(pixels.shape[:2])
      known = pixels[(pixels > 0) & (pixels < 65535)]
      missing.append(1 - known.size / pixels.size)
      if known.size:
        values.append(np.percentile(known, (0, 5, 50, 95, 100)))
      else:
        empty.append(path)
  _unreadable(bad, "depth", findings)
  if wrong:
    findings.error("depth images that are not of one channel with 16 bits", wrong, len(files))
  size = _sizes(paths, shapes, "depth", findings)
  if empty:
    findings.warning("depth images without one measurement", empty, len(files))
  if not missing:
    return size, []
  share = float(np.mean(missing))
  if share > 0.95:
    findings.error(f"{share:.0%} of depth is missing (0 or 65535)")
  elif share > 0.5:
    findings.warning(f"{share:.0%} of depth is missing (0 or 65535)")
  summary = [("depth images", f"{size[1]}x{size[0]}, {share:.1%} of pixels missing")]
  if values:
    summary.append(_check_units(np.median(values, axis=0), recording.depth_scale, findings))
  return size, summary


def _check_units(percentiles, scale, findings):
  """Whether depths look like metres once divided by the scale."""
  metres = percentiles / scale
  median = metres[2]
  if not _PLAUSIBLE_METRES[0] <= median <= _PLAUSIBLE_METRES[1]:
    others = [
      f"{other:g} units a metre ({name}) would make it {percentiles[2] / other:.2f} m"
      for other, name in _SCALES.items()
      if other != scale and _PLAUSIBLE_METRES[0] <= percentiles[2] / other <= _PLAUSIBLE_METRES[1]
    ]
    text = f"the median depth is {median:.4g} m at depth_scale {scale:g}"
    text += "; " + " or ".join(others) if others else ""
    possible = _POSSIBLE_METRES[0] <= median <= _POSSIBLE_METRES[1]
    (findings.warning if possible else findings.error)(text)
  value = f"median {median:.2f} m, 5 %-95 % {metres[1]:.2f}-{metres[3]:.2f} m"
  return ("depth", f"{value} (at {scale:g} units a metre)")


def _check_sizes(recording, color_size, depth_size, findings):
  """Whether depth can lie on colour, as far as sizes tell."""
  if color_size == depth_size:
    return
  shapes = f"colour is {color_size[1]}x{color_size[0]}, depth {depth_size[1]}x{depth_size[0]}"
  if recording.depth_intrinsics is not None:
    findings.note(
      f"{shapes}: depth is brought to colour by both cameras' intrinsics, rotation and offset ignored"
    )
    return
  aspect = color_size[1] / color_size[0] * depth_size[0] / depth_size[1]
  if abs(aspect - 1) > 0.02:
    findings.warning(
      f"{shapes}: the aspect ratios differ, so the cameras do not see the same; depth is probably not registered to "
      "colour"
    )
  else:
    findings.note(f"{shapes}: both are taken to show the same field of view")
