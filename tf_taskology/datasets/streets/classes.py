"""Classes of the streets world: those of `tasks.road_classes` that occur in it."""

import numpy as np

from tf_taskology.tasks import road_classes

NUM_IDS = road_classes.NUM_CLASSES  # of the whole table: networks predict so many classes
VOID = road_classes.VOID

_ABSENT = ("traffic light", "bus", "train", "motorcycle")
CLASSES = tuple(c for c in road_classes.CLASSES if c.name not in _ABSENT)
IDS = {c.name: c.id for c in CLASSES}
MOVABLE_IDS = tuple(c.id for c in CLASSES if c.movable)


def colours() -> np.ndarray:
  """[256, 3] uint8, a colour for each class; black for every other number."""
  return road_classes.colours()
