"""Anchor boxes: the same few boxes at every cell of a grid, to which detections are relative."""

import math
from collections.abc import Sequence

import numpy as np

from tf_taskology.geometry import bev_grid

VEHICLE = (4.7, 2.1, 1.7)  # metres; vehicles of the Waymo Open Dataset, as public code has it


class Anchors:
  """Anchors at the centres of cells (published code steps from edge to edge instead).

  Attributes:
    grid: the cells that have anchors.
    per_cell: anchors of a cell, n_a: all rotations of the first size, then of the second, ....
    kinds: [per_cell, 4] float32: length, width, height (metres) and heading (radians) of each.
    diagonals: [per_cell] float32: of each seen from above, metres; the unit of x and y residuals.
  """

  def __init__(
    self,
    grid: bev_grid.BevGrid,
    stride: int = 1,
    sizes: Sequence[Sequence[float]] = (VEHICLE,),
    rotations: Sequence[float] = (0.0, math.pi / 2),
    bottom: float = 0.0,
  ):
    """Anchors.

    Args:
      grid: of the point cloud.
      stride: cells of the network's output are so many times as large.
      sizes: (length, width, height) in metres.
      rotations: headings in radians.
      bottom: z of their undersides, metres: the ground in the sensor's or vehicle's frame.

    Raises:
      ValueError: no anchors, a size that is not positive, or as `BevGrid.coarser`.
    """
    if not sizes or not rotations or any(len(s) != 3 or not min(s) > 0 for s in sizes):
      raise ValueError(
        "Anchors need sizes (length, width, height) above 0 and rotations. "
        f"Received: sizes={sizes}, rotations={rotations}."
      )
    self.grid = grid.coarser(stride)
    self.kinds = np.array([(*s, r) for s in sizes for r in rotations], np.float32)
    self.per_cell = len(self.kinds)
    self.diagonals = np.hypot(self.kinds[:, 0], self.kinds[:, 1])
    self._bottom = bottom

  @property
  def shape(self) -> tuple[int, int, int]:
    """(rows, columns, per_cell)."""
    return self.grid.rows, self.grid.columns, self.per_cell

  @property
  def count(self) -> int:
    """Anchors of all cells."""
    return self.grid.rows * self.grid.columns * self.per_cell

  @property
  def centres(self) -> tuple[np.ndarray, np.ndarray]:
    """x of the columns and y of the rows, metres, float32."""
    return tuple(
      (low + (np.arange(count) + 0.5) * self.grid.cell).astype(np.float32)
      for low, count in (
        (self.grid.x_range[0], self.grid.columns),
        (self.grid.y_range[0], self.grid.rows),
      )
    )

  def boxes(self) -> np.ndarray:
    """[rows, columns, per_cell, 7] float32, see `boxes`."""
    x, y = self.centres
    boxes = np.empty([*self.shape, 7], np.float32)
    boxes[..., 0] = x[:, np.newaxis]
    boxes[..., 1] = y[:, np.newaxis, np.newaxis]
    boxes[..., 2] = self._bottom + 0.5 * self.kinds[:, 2]
    boxes[..., 3:] = self.kinds
    return boxes
