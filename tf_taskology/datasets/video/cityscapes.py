"""Cityscapes: labelled images of streets and the video around them.

Source: Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding" (CVPR 2016); label ids as in
its scripts (helpers/labels.py), disparity and cameras as in its README: d = (stored - 1) / 256 pixels, stored > 0.

Class map: the 19 label ids with a train id keep it; all others (ego vehicle, static, dynamic, ground, parking, rail
track, guard rail, bridge, tunnel, polegroup, caravan, trailer, license plate, out of roi ...) are missing.
"""

import json
import os
import re

import numpy as np

from tf_taskology.datasets import rgbd_files
from tf_taskology.datasets.video import class_maps, footage, image_files
from tf_taskology.tasks import road_classes

_SIZE = (1024, 2048)  # of the images that the cameras are calibrated for
# Label ids of the train ids 0-18, in their order.
_LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
_CLASSES = class_maps.ClassMap(
  {number: None for number in range(34)}
  | {number: c.name for number, c in zip(_LABEL_IDS, road_classes.CLASSES, strict=True)}
)
_SPLITS = ("train", "val", "test")
_PARTS = {"segmentation": ("gtFine", "gtFine_labelIds"), "depth": ("disparity", "disparity")}


class Cityscapes(footage.Footage):
  """Cityscapes as it is unpacked, each run of frames of a recording a clip "<split>/<city>_<recording>".

    leftImg8bit_sequence/train/aachen/aachen_000000_000000_leftImg8bit.png   (or leftImg8bit/)
    gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png
    disparity/train/aachen/aachen_000000_000019_disparity.png               (or disparity_sequence/)
    camera/train/aachen/aachen_000000_000019_camera.json

  Labels and cameras are those of one frame in 30; its camera serves the whole recording.

  Args:
    path: the folder that holds those.
    video: whether frames are those of leftImg8bit_sequence; None for yes if the folder is there.
  """

  def __init__(self, path: str, video: bool | None = None):
    self._path = rgbd_files.absolute(path)
    self._video = video

  @property
  def labels(self) -> tuple[str, ...]:
    return ("depth", "segmentation")

  @property
  def splits(self):
    return {"train": ("train/*",), "validation": ("val/*",), "test": ("test/*",)}

  def describe(self) -> str:
    return f"Cityscapes {self._path}"

  def clips(self) -> list[footage.Clip]:
    footage.require_folder(self._path, "Cityscapes folder")
    video = self._video
    if video is None:
      video = os.path.isdir(os.path.join(self._path, "leftImg8bit_sequence"))
    images = "leftImg8bit_sequence" if video else "leftImg8bit"
    clips = []
    for split in _SPLITS:
      root = os.path.join(self._path, images, split)
      for city in sorted(os.listdir(root)) if os.path.isdir(root) else ():
        clips += self._city(images, split, city)
    if not clips:
      raise ValueError(
        f"{self._path!r} holds no images of Cityscapes: {images}/<split>/<city>/<city>_<recording>_<frame>"
        f"_leftImg8bit.png is expected. It holds {sorted(os.listdir(self._path))[:10]}."
      )
    return clips

  def read_label(self, name, clip, frame, view):
    path = frame.files[name]
    stored = view.sample(image_files.read(path), path)
    wanted = {"segmentation": "label ids", "depth": "disparities of 16 bits"}[name]
    if stored.ndim != 2 or (name == "depth" and stored.dtype.itemsize < 2):
      raise ValueError(
        f"Label image {path!r} must have one channel of {wanted}. Received: {stored.dtype} of shape {stored.shape}."
      )
    if name == "segmentation":
      return _CLASSES.apply(stored, path)[..., np.newaxis]
    if clip.extra is None:
      raise ValueError(
        f"Depth from disparity {path!r} needs the camera: {clip.calibration} is missing."
      )
    disparity = (stored.astype(np.float32) - 1.0) / 256.0
    depth = np.divide(clip.extra, disparity, out=np.zeros_like(disparity), where=disparity > 0)
    return depth[..., np.newaxis].astype(np.float32)

  def _city(self, images, split, city):
    """Clips of a city, by recording."""
    ending = f"_{images.removesuffix('_sequence')}"
    files = _list(os.path.join(self._path, images, split, city), ending)
    labelled = {
      label: self._label_files(folder, kind, split, city)
      for label, (folder, kind) in _PARTS.items()
    }
    recordings = {}
    for name, path in files.items():
      about = {label: names[name] for label, names in labelled.items() if name in names}
      recording, number = name.rsplit("_", 1)
      recordings.setdefault(recording, []).append(
        (int(number), footage.Frame(name, path, files=about))
      )
    cameras = rgbd_files.list_files(
      os.path.join(self._path, "camera", split, city), ("_camera.json",)
    )
    clips = []
    for recording, frames in recordings.items():
      file = next(
        (path for name, path in cameras.items() if name.rsplit("_", 1)[0] == recording), None
      )
      intrinsics, focal_times_baseline = (None, None) if file is None else _camera(file)
      wanted = os.path.join(self._path, "camera", split, city, f"{recording}_*_camera.json")
      numbers = [number for number, _ in frames]
      for clip in footage.cut_at_gaps(f"{split}/{recording}", [f for _, f in frames], numbers):
        source = repr(file or wanted)
        clips.append(
          footage.Clip(
            clip.name, clip.frames, intrinsics, source, _SIZE, extra=focal_times_baseline
          )
        )
    return clips

  def _label_files(self, folder, kind, split, city):
    """Name of the frame -> path."""
    places = [os.path.join(self._path, f, split, city) for f in (f"{folder}_sequence", folder)]
    return {name: path for place in places for name, path in _list(place, f"_{kind}").items()}


def _list(folder, ending):
  """Files <name><ending>.png or .jpg of a folder: name -> path, if the name is one of Cityscapes."""
  files = rgbd_files.list_files(folder, tuple(f"{ending}{e}".lower() for e in (".png", ".jpg")))
  return {name: path for name, path in files.items() if re.fullmatch(r".+_\d+_\d+", name)}


def _camera(path):
  """[3, 3] intrinsics, and focal length times baseline (pixels * metres)."""
  with open(path, encoding="utf-8") as file:
    try:
      fields = json.load(file)
    except ValueError as error:
      raise ValueError(f"Cityscapes camera {path!r} is no JSON: {error}.") from error
  try:
    values = [float(fields["intrinsic"][key]) for key in ("fx", "fy", "u0", "v0")]
    return rgbd_files.from_focal(values), values[0] * float(fields["extrinsic"]["baseline"])
  except (KeyError, TypeError, ValueError) as error:
    raise ValueError(
      f"Cityscapes camera {path!r} must have intrinsic fx, fy, u0, v0 and extrinsic baseline as numbers. "
      f"Missing or wrong: {error}."
    ) from error
