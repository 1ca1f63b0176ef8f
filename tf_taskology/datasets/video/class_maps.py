"""From the class numbers of a data set to those of `tasks.road_classes`."""

from collections.abc import Mapping

import numpy as np

from tf_taskology.tasks import road_classes

_NO_CLASS = -1


class ClassMap:
  """A table of class numbers.

  Args:
    names: number in the data set -> name in `road_classes`, or None for what no class stands for (missing).

  Raises:
    ValueError: a name is in no table.
  """

  def __init__(self, names: Mapping[int, str | None]):
    unknown = sorted({name for name in names.values() if name} - set(road_classes.IDS))
    if unknown:
      raise ValueError(
        f"ClassMap: {unknown} are no road classes. There are: {sorted(road_classes.IDS)}."
      )
    self._table = np.full(max(names) + 1, _NO_CLASS, np.int16)
    for number, name in names.items():
      self._table[number] = road_classes.VOID if name is None else road_classes.IDS[name]
    self._known = sorted(names)

  def apply(self, numbers: np.ndarray, path: str) -> np.ndarray:
    """Train ids, uint8, of an array of class numbers.

    Args:
      numbers: integers of any shape.
      path: of the file, for the message.

    Raises:
      ValueError: a number that the table lacks.
    """
    numbers = numbers.astype(np.int64)
    inside = (numbers >= 0) & (numbers < len(self._table))
    found = np.where(inside, self._table[np.where(inside, numbers, 0)], _NO_CLASS)
    if np.any(found == _NO_CLASS):
      values = np.unique(numbers[found == _NO_CLASS]).tolist()
      raise ValueError(
        f"Label image {path!r} holds class numbers outside of the class map: {values[:10]}. Known are: "
        f"{_ranges(self._known)}."
      )
    return found.astype(np.uint8)


def _ranges(numbers):
  """[0, 1, 2, 5] -> "0-2, 5"."""
  parts = []
  for number in numbers:
    if parts and number == parts[-1][1] + 1:
      parts[-1][1] = number
    else:
      parts.append([number, number])
  return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
