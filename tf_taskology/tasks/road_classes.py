"""Classes of road scenes: the 19 Cityscapes train ids, the one table of every world and data set.

Source: Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding" (CVPR 2016),
labels and colours as in the data set's published table.
"""

import dataclasses

import numpy as np

VOID = 255  # a missing label


@dataclasses.dataclass(frozen=True)
class RoadClass:
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
  RoadClass("road", 0, (128, 64, 128)),
  RoadClass("sidewalk", 1, (244, 35, 232)),
  RoadClass("building", 2, (70, 70, 70)),
  RoadClass("wall", 3, (102, 102, 156)),
  RoadClass("fence", 4, (190, 153, 153)),
  RoadClass("pole", 5, (153, 153, 153)),
  RoadClass("traffic light", 6, (250, 170, 30)),
  RoadClass("traffic sign", 7, (220, 220, 0)),
  RoadClass("vegetation", 8, (107, 142, 35)),
  RoadClass("terrain", 9, (152, 251, 152)),
  RoadClass("sky", 10, (70, 130, 180)),
  RoadClass("person", 11, (220, 20, 60), movable=True),
  RoadClass("rider", 12, (255, 0, 0), movable=True),
  RoadClass("car", 13, (0, 0, 142), movable=True),
  RoadClass("truck", 14, (0, 0, 70), movable=True),
  RoadClass("bus", 15, (0, 60, 100), movable=True),
  RoadClass("train", 16, (0, 80, 100), movable=True),
  RoadClass("motorcycle", 17, (0, 0, 230), movable=True),
  RoadClass("bicycle", 18, (119, 11, 32), movable=True),
)
NUM_CLASSES = len(CLASSES)
IDS = {c.name: c.id for c in CLASSES}
MOVABLE_IDS = tuple(c.id for c in CLASSES if c.movable)
PEOPLE_IDS = tuple(IDS[name] for name in ("person", "rider"))
VEHICLE_IDS = tuple(number for number in MOVABLE_IDS if number not in PEOPLE_IDS)


def groups() -> dict[str, tuple[int, ...]]:
  """Name -> train ids, for metrics over some classes: "people", "vehicles", "movable" (both)."""
  return {"people": PEOPLE_IDS, "vehicles": VEHICLE_IDS, "movable": MOVABLE_IDS}


def colours() -> np.ndarray:
  """[256, 3] uint8, a colour for each class; black for every other number."""
  table = np.zeros((256, 3), np.uint8)
  for c in CLASSES:
    table[c.id] = c.colour
  return table
