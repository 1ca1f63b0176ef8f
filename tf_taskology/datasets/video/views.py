"""How stored images become those of samples, and what that means for labels.

Conventions of pixels are those of `datasets.rgbd_geometry`: centres are integers, resizing maps edges to edges.
"""

import dataclasses

import numpy as np

from tf_taskology.datasets import rgbd_geometry


@dataclasses.dataclass(frozen=True)
class View:
  """A crop and a resize, with the camera that they make.

  Attributes:
    resize: from stored images to samples.
    intrinsics: [3, 3] float64 of samples.
  """

  resize: rgbd_geometry.Resize
  intrinsics: np.ndarray

  @property
  def size(self) -> tuple[int, int]:
    """(height, width) of samples."""
    return self.resize.size

  def sample(self, pixels: np.ndarray, path: str) -> np.ndarray:
    """The nearest stored pixel of each pixel of the sample.

    Args:
      pixels: [height, width, ...] of the stored size.
      path: of the file, for the message.

    Raises:
      ValueError: another shape.
    """
    if pixels.shape[:2] != tuple(self.resize.original):
      height, width = self.resize.original
      raise ValueError(
        f"Label image {path!r} is {pixels.shape[1]}x{pixels.shape[0]} (width x height), but its frame is "
        f"{width}x{height}."
      )
    whole = np.eye(3)
    rows, columns = rgbd_geometry.lookup(
      self.resize.intrinsics(whole), self.size, whole, self.resize.original
    )
    return pixels[rows][:, columns]

  def scatter_depth(self, columns: np.ndarray, rows: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Depth of points at pixels of the stored image; where several meet the nearest stays.

    Args:
      columns: [n] x in the stored image, pixels.
      rows: [n] y.
      depth: [n] metres.

    Returns:
      [*size, 1] float32, 0 where no point is.
    """
    resize = self.resize
    scale_y, scale_x = (size / crop for size, crop in zip(self.size, resize.crop, strict=True))
    x = (columns - resize.left + 0.5) * scale_x - 0.5
    y = (rows - resize.top + 0.5) * scale_y - 0.5
    return _scatter(x, y, depth, self.size)

  def project(self, points: np.ndarray) -> np.ndarray:
    """Depth of points in the camera's axes (x right, y down, z forward, metres), [n, 3]. Returns as above."""
    points = points[points[:, 2] > 0.1]
    pixels = points @ self.intrinsics.T
    x, y = pixels[:, 0] / pixels[:, 2], pixels[:, 1] / pixels[:, 2]
    return _scatter(x, y, points[:, 2], self.size)


def _scatter(x, y, depth, size):
  columns, rows = np.floor(x + 0.5).astype(np.int64), np.floor(y + 0.5).astype(np.int64)
  inside = (columns >= 0) & (columns < size[1]) & (rows >= 0) & (rows < size[0]) & (depth > 0)
  result = np.full(size, np.inf, np.float32)
  np.minimum.at(result, (rows[inside], columns[inside]), depth[inside].astype(np.float32))
  result[np.isinf(result)] = 0.0
  return result[..., np.newaxis]


def plan(
  original: tuple[int, int],
  size: tuple[int, int] | None,
  keep_aspect: bool,
  crop_bottom: float = 0.0,
) -> rgbd_geometry.Resize:
  """How an image is brought to a size.

  Args:
    original: (height, width) of stored images.
    size: (height, width) wanted; None leaves what the cut below leaves.
    keep_aspect: cut off what does not fit, equally at both sides; otherwise stretch.
    crop_bottom: share of the rows that is cut off below first (a bonnet).
  """
  height = original[0] - round(original[0] * crop_bottom)
  upper = rgbd_geometry.plan((height, original[1]), size, keep_aspect)
  return dataclasses.replace(upper, original=tuple(original))
