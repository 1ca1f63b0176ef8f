"""From the calibration of a clip to the camera of its samples, refusing what cannot be right."""

import numpy as np

from tf_taskology.datasets import rgbd_geometry
from tf_taskology.datasets.video import footage

# A principal point so far from the middle along both axes is that of images of another size.
_OFF_MIDDLE = 0.15


def camera(
  clip: footage.Clip,
  size: tuple[int, int],
  rescale: bool = False,
  assumed_field_of_view: float | None = None,
) -> np.ndarray:
  """Intrinsics of the stored images.

  Args:
    clip: with or without intrinsics.
    size: (height, width) of its stored images.
    rescale: images were resized as wholes since the calibration, so that intrinsics follow their size.
    assumed_field_of_view: degrees across the width, for clips without intrinsics: square pixels, principal point in
      the middle.

  Returns:
    [3, 3] float64, pixels.

  Raises:
    ValueError: there are none, or they are for another resolution.
  """
  if clip.intrinsics is None:
    return _assumed(clip, size, assumed_field_of_view)
  if clip.calibrated_size in (None, tuple(size)):
    found = problem(clip.intrinsics, size)
    if found:
      raise ValueError(f"Clip {clip.name!r}: intrinsics from {clip.calibration}: {found}.")
    return clip.intrinsics
  height, width = clip.calibrated_size
  if not rescale:
    raise ValueError(
      f"Clip {clip.name!r}: {clip.calibration} is for images of {width}x{height} (width x height), but "
      f"{clip.frames[0].image!r} is {size[1]}x{size[0]}. Give the calibration of these images, or, if they are the "
      "whole originals resized, set video_source.VideoSource.rescale_intrinsics = True."
    )
  return rgbd_geometry.scaled_intrinsics(clip.intrinsics, clip.calibrated_size, size)


def problem(intrinsics: np.ndarray, size: tuple[int, int]) -> str:
  """Why [3, 3] intrinsics cannot be those of images of `size` (height, width); "" if they can."""
  height, width = size
  fx, fy, cx, cy = (intrinsics[place] for place in ((0, 0), (1, 1), (0, 2), (1, 2)))
  value = f"fx {fx:.1f}, fy {fy:.1f}, cx {cx:.1f}, cy {cy:.1f}"
  if not (np.all(np.isfinite(intrinsics)) and fx > 0 and fy > 0):
    return f"{value} is no camera's: finite numbers and focal lengths above 0 are expected"
  shares = cx / width - 0.5, cy / height - 0.5
  outside = not (0 <= cx < width and 0 <= cy < height)
  same_way = shares[0] * shares[1] > 0 and min(map(abs, shares)) > _OFF_MIDDLE
  if outside or same_way:
    return (
      f"{value} puts the principal point far from the middle of images of {width}x{height} (width x height); they look "
      f"like those of images of about {2 * cx:.0f}x{2 * cy:.0f}"
    )
  return ""


def _assumed(clip, size, field_of_view):
  if field_of_view is None:
    raise ValueError(
      f"Clip {clip.name!r} has no intrinsics: looked for {clip.calibration}. Write that file, or, where the motion "
      "network learns intrinsics or nothing needs them, assume a camera by "
      "video_source.VideoSource.assumed_field_of_view = <degrees across the width, e.g. 60>."
    )
  height, width = size
  focal = width / 2 / np.tan(np.radians(field_of_view) / 2)
  return np.array(
    [[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]], np.float64
  )
