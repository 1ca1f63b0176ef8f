"""Where the pixels of a cropped and resized image lie in the original colour and depth images.

Pixel centres are integers, so pixel i covers [i - 1/2, i + 1/2]. Resizing maps edges to edges: pixel u of the result
has its centre at x = x0 + (u + 1/2) crop / size - 1/2 of the original, and therefore
  fx' = fx size / crop,  cx' = (cx - x0 + 1/2) size / crop - 1/2.
The half pixels matter: without them a picture made 10 times smaller has its principal point off by 0.45 pixels.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Resize:
  """A crop of the original, then a resize.

  Attributes:
    original: (height, width) before.
    size: (height, width) after.
    top: first row of the crop.
    left: first column of the crop.
    crop: (height, width) of the crop.
  """

  original: tuple[int, int]
  size: tuple[int, int]
  top: int
  left: int
  crop: tuple[int, int]

  def intrinsics(self, original: np.ndarray) -> np.ndarray:
    """[3, 3] intrinsics after, from those before."""
    scale_y, scale_x = (size / crop for size, crop in zip(self.size, self.crop, strict=True))
    result = np.array(original, np.float64)
    result[0, :2] *= scale_x
    result[1, :2] *= scale_y
    result[0, 2] = (original[0, 2] - self.left + 0.5) * scale_x - 0.5
    result[1, 2] = (original[1, 2] - self.top + 0.5) * scale_y - 0.5
    return result


def plan(original: tuple[int, int], size: tuple[int, int] | None, keep_aspect: bool) -> Resize:
  """How an image is brought to a size.

  Args:
    original: (height, width) of the image.
    size: (height, width) wanted; None leaves the image as it is.
    keep_aspect: cut off what does not fit, equally at both sides; otherwise the image is stretched.
  """
  height, width = original
  if size is None:
    return Resize(original, original, 0, 0, original)
  crop_height, crop_width = height, width
  if keep_aspect:
    crop_width = min(width, round(height * size[1] / size[0]))
    crop_height = min(height, round(width * size[0] / size[1]))
  top, left = (height - crop_height) // 2, (width - crop_width) // 2
  return Resize(original, tuple(size), top, left, (crop_height, crop_width))


def scaled_intrinsics(
  intrinsics: np.ndarray, size: tuple[int, int], other: tuple[int, int]
) -> np.ndarray:
  """[3, 3] intrinsics of a camera with the same field of view and images of size `other`."""
  return Resize(size, tuple(other), 0, 0, tuple(size)).intrinsics(intrinsics)


def lookup(
  intrinsics: np.ndarray,
  size: tuple[int, int],
  other_intrinsics: np.ndarray,
  other_size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
  """Which pixel of another image from the same place shows what a pixel shows: the nearest to the same ray.

  Args:
    intrinsics: [3, 3] of the image, without skew.
    size: its (height, width).
    other_intrinsics: [3, 3] of the other, without skew.
    other_size: its (height, width).

  Returns:
    rows: [height] int32, row of the other image for each row; -1 where it lies outside.
    columns: [width] int32, the same for columns.
  """
  result = []
  for axis in (1, 0):
    pixels = np.arange(size[1 - axis], dtype=np.float64)
    rays = (pixels - intrinsics[axis, 2]) / intrinsics[axis, axis]
    exact = rays * other_intrinsics[axis, axis] + other_intrinsics[axis, 2]
    # Half way between two pixels (2 to 1) rounding noise must not decide.
    index = np.floor(np.round(exact, 6) + 0.5).astype(np.int32)
    outside = (index < 0) | (index >= other_size[1 - axis])
    result.append(np.where(outside, -1, index).astype(np.int32))
  return result[0], result[1]
