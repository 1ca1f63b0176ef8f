"""COCO 2017 panoptic: single labelled images of all kinds of scenes.

Source: Kirillov et al., "Panoptic Segmentation" (CVPR 2019); segment id = R + 256 G + 256^2 B of the label image, 0 is
no segment.

Class map, COCO category -> `tasks.road_classes`; all other categories, and what has no segment, are missing:
  road -> road; pavement-merged -> sidewalk; building-other-merged, house, roof -> building
  wall-brick, wall-stone -> wall (other walls are mostly rooms); fence-merged -> fence
  traffic light -> traffic light; stop sign -> traffic sign (COCO has no other signs, and no poles)
  tree-merged, flower -> vegetation; grass-merged, dirt-merged, sand -> terrain; sky-other-merged -> sky
  person -> person (riders cannot be told from others); bicycle, car, motorcycle, bus, train, truck -> the same
"""

import json
import os
from collections.abc import Mapping, Sequence

import numpy as np
from absl import logging

from tf_taskology.datasets import rgbd_files
from tf_taskology.datasets.video import footage, image_files
from tf_taskology.tasks import road_classes

CLASSES = {
  "road": "road",
  "pavement-merged": "sidewalk",
  "building-other-merged": "building",
  "house": "building",
  "roof": "building",
  "wall-brick": "wall",
  "wall-stone": "wall",
  "fence-merged": "fence",
  "traffic light": "traffic light",
  "stop sign": "traffic sign",
  "tree-merged": "vegetation",
  "flower": "vegetation",
  "grass-merged": "terrain",
  "dirt-merged": "terrain",
  "sand": "terrain",
  "sky-other-merged": "sky",
  "person": "person",
  "bicycle": "bicycle",
  "car": "car",
  "motorcycle": "motorcycle",
  "bus": "bus",
  "train": "train",
  "truck": "truck",
}
_SUBSETS = {
  split: (f"annotations/panoptic_{name}.json", f"annotations/panoptic_{name}", name)
  for split, name in (("train", "train2017"), ("validation", "val2017"))
}


class CocoPanoptic(footage.Footage):
  """COCO panoptic as it is unpacked, each image a clip "<split>/<image>". Images have no intrinsics and many sizes.

    annotations/panoptic_train2017.json  annotations/panoptic_train2017/000000000009.png
    train2017/000000000009.jpg                                      (val2017 alike)

  Args:
    path: the folder that holds those.
    subsets: split -> (JSON file, folder of label images, folder of images) in `path`; None for those above.
    containing: only images in which one of these road classes is labelled, e.g. ("road",); () for all.

  Raises:
    ValueError: an argument is out of its range.
  """

  def __init__(
    self,
    path: str,
    subsets: Mapping[str, tuple[str, str, str]] | None = None,
    containing: Sequence[str] = (),
  ):
    unknown = sorted(set(containing) - set(CLASSES.values()))
    if isinstance(containing, str) or unknown:
      raise ValueError(
        f"CocoPanoptic.containing must be a list of classes that the class map has. Received: {containing!r}."
      )
    self._path = rgbd_files.absolute(path)
    self._subsets = dict(_SUBSETS if subsets is None else subsets)
    self._containing = {road_classes.IDS[name] for name in containing}

  @property
  def labels(self) -> tuple[str, ...]:
    return ("segmentation",)

  @property
  def splits(self):
    return {split: (f"{split}/*",) for split in self._subsets}

  def describe(self) -> str:
    return f"COCO panoptic {self._path}"

  def clips(self) -> list[footage.Clip]:
    footage.require_folder(self._path, "COCO panoptic folder")
    clips, files = [], []
    for split, subset in self._subsets.items():
      annotations, labels, images = (os.path.join(self._path, part) for part in subset)
      files.append(f"{annotations} with {os.path.basename(images)}/")
      if not os.path.exists(annotations):
        continue
      if os.path.isdir(images):
        clips += self._read(split, annotations, labels, images)
      else:  # the download of annotations holds those of train and val, whichever images there are
        logging.warning(
          "%s: %r is left out, for there is no %r", self.describe(), annotations, images
        )
    if not clips:
      raise ValueError(
        f"{self._path!r} holds no images of COCO panoptic: looked for {', '.join(files)}"
        f"{' with some of the classes asked for' if self._containing else ''}. "
        f"It holds {sorted(os.listdir(self._path))[:10]}."
      )
    return clips

  def read_label(self, name, clip, frame, view):
    path = frame.files[name]
    pixels = view.sample(image_files.read(path), path)
    if pixels.ndim != 3:
      raise ValueError(
        f"Label image {path!r} must have three channels (id = R + 256 G + 256^2 B). Received shape: {pixels.shape}."
      )
    return segments_to_classes(pixels[..., :3], *frame.extra, path)[..., np.newaxis]

  def _read(self, split, file, labels, images):
    with open(file, encoding="utf-8") as stream:
      try:
        content = json.load(stream)
      except ValueError as error:
        raise ValueError(f"COCO panoptic {file!r} is no JSON: {error}.") from error
    missing = [key for key in ("images", "annotations", "categories") if key not in content]
    if missing:
      raise ValueError(
        f"COCO panoptic {file!r} has no {', '.join(missing)}. It has: {', '.join(content)}."
      )
    try:
      return self._clips_of(content, split, file, labels, images)
    except (KeyError, TypeError) as error:
      raise ValueError(
        f"COCO panoptic {file!r} is not as published: missing or wrong: {error!r}."
      ) from error

  def _clips_of(self, content, split, file, labels, images):
    classes = category_classes({item["id"]: item["name"] for item in content["categories"]}, file)
    about = {item["id"]: item for item in content["images"]}
    clips = []
    for annotation in content["annotations"]:
      if annotation["image_id"] not in about:
        raise ValueError(
          f"COCO panoptic {file!r}: annotation of {annotation['file_name']!r} has image_id {annotation['image_id']!r}, "
          f"which images does not list ({len(about)} of them)."
        )
      image = about[annotation["image_id"]]
      segments = _segments(annotation, classes, file)
      if self._containing and not self._containing & set(segments[1].tolist()):
        continue
      name = os.path.splitext(image["file_name"])[0]
      path = os.path.join(images, image["file_name"])
      label = {"segmentation": os.path.join(labels, annotation["file_name"])}
      size = (image["height"], image["width"])
      frame = footage.Frame(name, path, files=label, extra=segments)
      clips.append(
        footage.Clip(f"{split}/{name}", (frame,), None, "none: COCO has no calibration", None, size)
      )
    return clips


def category_classes(names: Mapping[int, str], file: str) -> dict[int, int]:
  """Category id -> train id, 255 for those that the class map lacks.

  Args:
    names: category id -> name.
    file: where they are from, for the message.

  Raises:
    ValueError: no category is in the class map.
  """
  if not set(names.values()) & set(CLASSES):
    raise ValueError(
      f"{file!r} has none of the categories of COCO panoptic that have a road class ({', '.join(CLASSES)}). "
      f"It has: {list(names.values())[:10]}."
    )
  ids = road_classes.IDS
  return {i: ids[CLASSES[n]] if n in CLASSES else road_classes.VOID for i, n in names.items()}


def segments_to_classes(pixels: np.ndarray, ids, classes, path: str) -> np.ndarray:
  """Train ids [height, width] uint8 of a panoptic label image.

  Args:
    pixels: [height, width, 3] uint8.
    ids: [n] segment ids in rising order.
    classes: [n] uint8, the train id of each.
    path: of the file, for the message.

  Raises:
    ValueError: a segment that is not in `ids`.
  """
  segments = pixels.astype(np.int64) @ (1, 1 << 8, 1 << 16)
  ids, classes = np.append(0, ids), np.append(np.uint8(road_classes.VOID), classes)
  place = np.minimum(np.searchsorted(ids, segments), len(ids) - 1)
  unknown = np.unique(segments[ids[place] != segments]).tolist()
  if unknown:
    raise ValueError(
      f"Label image {path!r} holds segments that its annotation does not list: {unknown[:5]}. Listed: {ids[1:6].tolist()}"
      f"{' ...' if len(ids) > 6 else ''}."
    )
  return classes[place]


def _segments(annotation, classes, file):
  """(ids [n] int64 in rising order, train ids [n] uint8)."""
  pairs = sorted((segment["id"], segment["category_id"]) for segment in annotation["segments_info"])
  unknown = sorted({category for _, category in pairs} - set(classes))
  if unknown:
    raise ValueError(
      f"COCO panoptic {file!r}: {annotation['file_name']} has category_id {unknown}, which categories does not list "
      f"({len(classes)} of {min(classes)}-{max(classes)})."
    )
  ids = np.array([number for number, _ in pairs], np.int64)
  return ids, np.array([classes[category] for _, category in pairs], np.uint8)
