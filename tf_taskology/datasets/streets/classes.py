"""Classes of the streets world: a subset of the Cityscapes train ids, with the ids unchanged.

Source: Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding" (CVPR 2016),
labels and colours as in the data set's published table.
"""

import dataclasses

import numpy as np

NUM_IDS = 19  # of the whole Cityscapes table: networks predict so many classes
VOID = 255  # a missing label


@dataclasses.dataclass(frozen=True)
class StreetClass:
  """One class.

  Attributes:
    name: as in Cityscapes.
    id: its Cityscapes train id.
    colour: (red, green, blue), 0-255.
    movable: whether things of the class can move by themselves; parked ones count too.
  """

  name: str
  id: int
  colour: tuple[int, int, int]
  movable: bool = False


CLASSES = (
  StreetClass("road", 0, (128, 64, 128)),
  StreetClass("sidewalk", 1, (244, 35, 232)),
  StreetClass("building", 2, (70, 70, 70)),
  StreetClass("wall", 3, (102, 102, 156)),
  StreetClass("fence", 4, (190, 153, 153)),
  StreetClass("pole", 5, (153, 153, 153)),
  StreetClass("traffic sign", 7, (220, 220, 0)),
  StreetClass("vegetation", 8, (107, 142, 35)),
  StreetClass("terrain", 9, (152, 251, 152)),
  StreetClass("sky", 10, (70, 130, 180)),
  StreetClass("person", 11, (220, 20, 60), movable=True),
  StreetClass("rider", 12, (255, 0, 0), movable=True),
  StreetClass("car", 13, (0, 0, 142), movable=True),
  StreetClass("truck", 14, (0, 0, 70), movable=True),  # vans and box trucks
  StreetClass("bicycle", 18, (119, 11, 32), movable=True),
)
IDS = {c.name: c.id for c in CLASSES}
MOVABLE_IDS = tuple(c.id for c in CLASSES if c.movable)


def colours() -> np.ndarray:
  """[256, 3] uint8, a colour for each class; black for ids that do not occur."""
  table = np.zeros((256, 3), np.uint8)
  for c in CLASSES:
    table[c.id] = c.colour
  return table
