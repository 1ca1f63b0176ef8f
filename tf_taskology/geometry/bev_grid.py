"""The grid of square cells, seen from above, that point clouds and boxes are laid out on."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class BevGrid:
  """Square cells over a rectangle of the ground.

  Tensors over the grid are [..., rows, columns, channels] as images are: the column grows with x,
  the row with y. The centre of cell (row, column) is at x_range[0] + (column + 0.5) cell, and so
  on.

  Attributes:
    x_range: (smallest, largest) x in metres; a whole number of cells.
    y_range: the same for y.
    z_range: points outside are left out.
    cell: side of a cell, metres.
  """

  x_range: tuple[float, float] = (-74.88, 74.88)
  y_range: tuple[float, float] = (-74.88, 74.88)
  z_range: tuple[float, float] = (-2.0, 4.0)
  cell: float = 0.32

  def __post_init__(self):
    if not self.cell > 0:
      raise ValueError(f"BevGrid.cell must be > 0 metres. Received: {self.cell}.")
    for name in ("x_range", "y_range", "z_range"):
      low, high = map(float, getattr(self, name))
      object.__setattr__(
        self, name, (low, high)
      )  # of a frozen instance: numbers as given may be int
      if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(
          f"BevGrid.{name} must be (smallest, largest), metres. Received: {(low, high)}."
        )
    for name in ("x_range", "y_range"):
      low, high = getattr(self, name)
      cells = (high - low) / self.cell
      if abs(cells - round(cells)) > 1e-3:
        raise ValueError(
          f"BevGrid.{name} must be a whole number of cells of {self.cell} m. "
          f"Received: {(low, high)}, {cells:g} cells."
        )

  @property
  def columns(self) -> int:
    """Cells along x."""
    return round((self.x_range[1] - self.x_range[0]) / self.cell)

  @property
  def rows(self) -> int:
    """Cells along y."""
    return round((self.y_range[1] - self.y_range[0]) / self.cell)

  def coarser(self, stride: int) -> "BevGrid":
    """The grid of cells `stride` times as large.

    Raises:
      ValueError: if rows or columns are no multiple of the stride.
    """
    if stride < 1 or self.rows % stride or self.columns % stride:
      raise ValueError(
        f"A grid of {self.rows} x {self.columns} cells has no grid of stride {stride}: "
        "both must be multiples of it."
      )
    return dataclasses.replace(self, cell=self.cell * stride)
