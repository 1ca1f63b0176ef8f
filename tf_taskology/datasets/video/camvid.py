"""CamVid: labelled driving video.

Source: Brostow et al., "Segmentation and Recognition Using Structure from Motion Point Clouds" (ECCV 2008); the 32
colours are those of its label_colors.txt, the 11 numbers those of the SegNet copy.

Class map, CamVid -> `tasks.road_classes` (names of 32 classes; the copy with 11 has merged some of them):
  Road, LaneMkgsDriv, LaneMkgsNonDriv, RoadShoulder -> road
  Sidewalk, ParkingBlock                            -> sidewalk
  Building, Archway                                 -> building
  Wall -> wall; Fence -> fence; Column_Pole -> pole; TrafficLight -> traffic light; SignSymbol -> traffic sign
  Tree, VegetationMisc                              -> vegetation
  Sky -> sky; Pedestrian, Child -> person; Bicyclist -> rider (the label covers the bicycle too)
  Car, SUVPickupTruck -> car; Truck_Bus -> truck; Train -> train; MotorcycleScooter -> motorcycle
  Animal, Bridge, CartLuggagePram, Misc_Text, OtherMoving, TrafficCone, Tunnel, Void -> missing
"""

import os
import re

import numpy as np

from tf_taskology.datasets import rgbd_files
from tf_taskology.datasets.video import class_maps, footage, image_files
from tf_taskology.tasks import road_classes

_NAMES_11 = (
  "sky", "building", "pole", "road", "sidewalk", "vegetation", "traffic sign", "fence", "car", "person",
  "rider", None,
)  # fmt: skip
_CLASSES_11 = class_maps.ClassMap(dict(enumerate(_NAMES_11)))
_COLOURS_32 = {
  (64, 128, 64): None,  # Animal
  (192, 0, 128): "building",  # Archway
  (0, 128, 192): "rider",  # Bicyclist
  (0, 128, 64): None,  # Bridge
  (128, 0, 0): "building",
  (64, 0, 128): "car",
  (64, 0, 192): None,  # CartLuggagePram
  (192, 128, 64): "person",  # Child
  (192, 192, 128): "pole",  # Column_Pole
  (64, 64, 128): "fence",
  (128, 0, 192): "road",  # LaneMkgsDriv
  (192, 0, 64): "road",  # LaneMkgsNonDriv
  (128, 128, 64): None,  # Misc_Text
  (192, 0, 192): "motorcycle",  # MotorcycleScooter
  (128, 64, 64): None,  # OtherMoving
  (64, 192, 128): "sidewalk",  # ParkingBlock
  (64, 64, 0): "person",  # Pedestrian
  (128, 64, 128): "road",
  (128, 128, 192): "road",  # RoadShoulder
  (0, 0, 192): "sidewalk",
  (192, 128, 128): "traffic sign",  # SignSymbol
  (128, 128, 128): "sky",
  (64, 128, 192): "car",  # SUVPickupTruck
  (0, 0, 64): None,  # TrafficCone
  (0, 64, 64): "traffic light",
  (192, 64, 128): "train",
  (128, 128, 0): "vegetation",  # Tree
  (192, 128, 192): "truck",  # Truck_Bus
  (64, 0, 64): None,  # Tunnel
  (192, 192, 0): "vegetation",  # VegetationMisc
  (0, 0, 0): None,  # Void
  (64, 192, 0): "wall",
}
# Folders of images, of labels, and the split that they are.
FOLDERS = (
  ("train", "trainannot", "train"),
  ("val", "valannot", "validation"),
  ("test", "testannot", "test"),
  ("train", "train_labels", "train"),
  ("val", "val_labels", "validation"),
  ("test", "test_labels", "test"),
  ("701_StillsRaw_full", "LabeledApproved_full", "all"),
  ("701_StillsRaw_full", "LabeledApproved", "all"),
  ("images", "labels", "all"),
)


class CamVid(footage.Footage):
  """The copies of CamVid that are about, each run of evenly numbered frames of a recording a clip "<split>/<recording>".

    train/0001TP_006690.png  trainannot/0001TP_006690.png  (val, test alike; or train_labels/)
    701_StillsRaw_full/0001TP_006690.png  LabeledApproved_full/0001TP_006690_L.png  (or images/, labels/)

  Label images of one channel hold the 11 numbers of SegNet's copy (11 is void); those of three channels, or with a
  palette of such colours, the 32 colours. CamVid has no intrinsics here: set `VideoSource.assumed_field_of_view`.

  Args:
    path: the folder that holds those.
  """

  def __init__(self, path: str):
    self._path = rgbd_files.absolute(path)

  @property
  def labels(self) -> tuple[str, ...]:
    return ("segmentation",)

  @property
  def splits(self):
    if any(os.path.isdir(os.path.join(self._path, name)) for name in ("train", "val", "test")):
      return {split: (f"{split}/*",) for split in ("train", "validation", "test")}
    return footage.SHARES

  def describe(self) -> str:
    return f"CamVid {self._path}"

  def clips(self) -> list[footage.Clip]:
    footage.require_folder(self._path, "CamVid folder")
    clips = []
    for images, labels, split in FOLDERS:
      if os.path.isdir(os.path.join(self._path, labels)):
        clips += self._read(images, labels, split)
    if not clips:
      expected = ", ".join(f"{images}/ with {labels}/" for images, labels, _ in FOLDERS)
      raise ValueError(
        f"{self._path!r} holds no images with labels of CamVid: expected {expected}. "
        f"It holds {sorted(os.listdir(self._path))[:10]}."
      )
    return clips

  def read_label(self, name, clip, frame, view):
    path = frame.files[name]
    stored = view.sample(image_files.read(path), path)
    palette = image_files.palette(path)
    if palette is not None and {tuple(palette[i]) for i in np.unique(stored)} <= set(_COLOURS_32):
      stored = palette[stored]  # colours that a program has packed
    if stored.ndim == 2:
      return _CLASSES_11.apply(stored, path)[..., np.newaxis]
    return from_colours(stored[..., :3], path)[..., np.newaxis]

  def _read(self, images, labels, split):
    files = rgbd_files.list_files(os.path.join(self._path, images), rgbd_files.IMAGE_ENDINGS)
    labelled = {
      re.sub(r"_[LP]$", "", name): path
      for name, path in rgbd_files.list_files(os.path.join(self._path, labels), (".png",)).items()
    }
    recordings = {}
    for name, path in files.items():
      found = re.fullmatch(r"(.*?)_?f?(\d+)", name)
      recording, number = (found[1], int(found[2])) if found else (name, 0)
      about = {"segmentation": labelled[name]} if name in labelled else {}
      recordings.setdefault(recording, []).append((number, footage.Frame(name, path, files=about)))
    clips = []
    for recording, frames in recordings.items():
      numbers = [number for number, _ in frames]
      name = f"{split}/{recording or images}"
      clips += [
        footage.Clip(
          clip.name, clip.frames, calibration=f"none: {self.describe()} has no calibration"
        )
        for clip in footage.cut_at_gaps(name, [frame for _, frame in frames], numbers)
      ]
    return clips


def from_colours(pixels: np.ndarray, path: str) -> np.ndarray:
  """Train ids [height, width] of the 32 colours.

  Args:
    pixels: [height, width, 3] uint8.
    path: of the file, for the message.

  Raises:
    ValueError: a colour that the table lacks.
  """
  packed = pixels.astype(np.int64) @ (1 << 16, 1 << 8, 1)
  values, inverse = np.unique(packed, return_inverse=True)
  colours = [(value >> 16, value >> 8 & 255, value & 255) for value in values.tolist()]
  unknown = [colour for colour in colours if colour not in _COLOURS_32]
  if unknown:
    raise ValueError(
      f"Label image {path!r} holds colours that are none of CamVid's 32: {unknown[:5]}. Were labels resized with "
      "interpolation, or saved as JPEG?"
    )
  names = [_COLOURS_32[colour] for colour in colours]
  ids = [road_classes.VOID if name is None else road_classes.IDS[name] for name in names]
  return np.array(ids, np.uint8)[inverse.reshape(packed.shape)]
