"""The cameras and panoptic labels of the Waymo Open Dataset (perception, version 1: TFRecord files of frames).

Source: Sun et al., "Scalability in Perception for Autonomous Driving: Waymo Open Dataset" (CVPR 2020); Mei et al.,
"Waymo Open Dataset: Panoramic Video Panoptic Segmentation" (ECCV 2022); classes as in camera_segmentation.proto.

Class map, Waymo -> `tasks.road_classes`:
  road, lane marker, road marker -> road; sidewalk -> sidewalk; building -> building; pole -> pole
  traffic light -> traffic light; sign -> traffic sign; vegetation -> vegetation; sky -> sky
  pedestrian -> person; cyclist, motorcyclist -> rider (the label covers the cycle too)
  car -> car; truck, other large vehicle -> truck; bus -> bus; motorcycle -> motorcycle; bicycle -> bicycle
  undefined, ego vehicle, trailer, bird, ground animal, construction cone, pedestrian object, ground, dynamic, static
  -> missing. Wall, fence, terrain and train have no counterpart.
"""

import io
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tf_taskology.datasets import rgbd_files
from tf_taskology.datasets.video import class_maps, footage, waymo_records

CAMERAS = {"FRONT": 1, "FRONT_LEFT": 2, "FRONT_RIGHT": 3, "SIDE_LEFT": 4, "SIDE_RIGHT": 5}
_NAMES = {
  2: "car", 3: "truck", 4: "bus", 5: "truck", 6: "bicycle", 7: "motorcycle", 9: "person", 10: "rider",
  11: "rider", 15: "pole", 17: "traffic sign", 18: "traffic light", 19: "building", 20: "road",
  21: "road", 22: "road", 23: "sidewalk", 24: "vegetation", 25: "sky",
}  # fmt: skip
_CLASSES = class_maps.ClassMap({number: _NAMES.get(number) for number in range(29)})
# Columns: x (right), y (down), z (forward) of our camera in theirs: x forward, y left, z up.
_AXES = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]], np.float64)


class Waymo(footage.Footage):
  """Segments, each camera of each a clip "<segment>/<camera>". The world of a clip is its first camera.

  Lens distortion is left in the images: intrinsics are those of the pinhole alone. LiDAR is not read.

  Args:
    path: a .tfrecord file, a folder of them, or a folder of such folders (training/, validation/); each file is one
      segment.
    cameras: names from `CAMERAS`.

  Raises:
    ValueError: an argument is out of its range.
  """

  def __init__(self, path: str, cameras: Sequence[str] = ("FRONT",)):
    if isinstance(cameras, str) or not cameras or not set(cameras) <= set(CAMERAS):
      raise ValueError(f"Waymo.cameras must be some of {list(CAMERAS)}. Received: {cameras!r}.")
    self._path = rgbd_files.absolute(path)
    self._cameras = tuple(cameras)

  @property
  def labels(self) -> tuple[str, ...]:
    return ("segmentation",)

  def describe(self) -> str:
    return f"Waymo {self._path}"

  def clips(self) -> list[footage.Clip]:
    files = [self._path]
    if not os.path.isfile(self._path):
      footage.require_folder(self._path, "Waymo file or folder")
      folders = [os.path.join(self._path, name) for name in rgbd_files.list_folders(self._path)]
      files = [
        file
        for folder in (self._path, *folders)
        for file in rgbd_files.list_files(folder, (".tfrecord",)).values()
      ]
    if not files:
      raise ValueError(
        f"{self._path!r} holds no .tfrecord files, nor do folders in it. It holds {sorted(os.listdir(self._path))[:10]}."
      )
    return [clip for file in files for clip in self._segment(file)]

  def stored_size(self, clip):
    return self.read_image(clip, clip.frames[0]).shape[:2]

  def read_image(self, clip, frame):
    return _decode(frame, frame.extra[1].image, "RGB")

  def read_label(self, name, clip, frame, view):
    image = frame.extra[1]
    if image.divisor < 1:
      raise ValueError(
        f"{frame.image!r}: panoptic_label_divisor must be above 0. Received: {image.divisor}."
      )
    pixels = view.sample(_decode(frame, image.panoptic, None), frame.files[name])
    return _CLASSES.apply(pixels // image.divisor, frame.files[name])[..., np.newaxis]

  def problem(self, kind, frame, size):
    image = frame.extra[1]
    begin, end = image.image if kind == "image" else image.panoptic
    return "" if end > begin else "is empty"

  def _segment(self, file):
    frames = waymo_records.read_frames(file)
    segment = frames[0].segment or os.path.splitext(os.path.basename(file))[0]
    clips = []
    for name in self._cameras:
      number = CAMERAS[name]
      if number not in frames[0].cameras:
        raise ValueError(
          f"Waymo file {file!r} has no calibration of the camera {name}; it has those of numbers "
          f"{sorted(frames[0].cameras)}."
        )
      camera = frames[0].cameras[number]
      if camera.intrinsic.size < 4 or camera.extrinsic is None:
        raise ValueError(
          f"Waymo file {file!r}: intrinsic of camera {name} must hold 4 numbers or more and extrinsic 16. "
          f"Received: {camera.intrinsic.tolist()}."
        )
      there = [
        (i, frame.images[number]) for i, frame in enumerate(frames) if number in frame.images
      ]
      parts = _frames(file, name, there, camera.extrinsic @ _AXES)
      intrinsics = rgbd_files.from_focal(camera.intrinsic[:4])
      source = f"context.camera_calibrations of {file!r}"
      for clip in footage.cut_at_gaps(f"{segment}/{name}", parts, [i for i, _ in there]):
        clips.append(footage.Clip(clip.name, clip.frames, intrinsics, source, camera.size))
    return clips


def _frames(file, camera, images, to_vehicle):
  """Frames with poses in the axes of the first camera: world coordinates are too large for float32."""
  poses = [image.pose @ to_vehicle for _, image in images]
  frames = []
  for (index, image), pose in zip(images, poses, strict=True):
    name = f"{file}#{index}/{camera}"
    label = {} if image.panoptic is None else {"segmentation": f"{name}/panoptic_label"}
    frames.append(
      footage.Frame(f"{index:06d}", name, np.linalg.inv(poses[0]) @ pose, label, (file, image))
    )
  return frames


def _decode(frame, place, mode):
  try:
    with Image.open(io.BytesIO(waymo_records.read_bytes(frame.extra[0], place))) as image:
      return np.asarray(image.convert(mode) if mode else image)
  except (OSError, SyntaxError, ValueError) as error:
    raise ValueError(f"Cannot read image {frame.image!r}: {error}.") from error
