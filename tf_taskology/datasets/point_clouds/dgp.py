"""Scenes in the format of DGP (Dataset Governance Policy), e.g. DDAD: a LiDAR with boxes, poses and times.

Source: https://github.com/TRI-ML/dgp, its protocol buffers and readme.
"""

import datetime
import glob
import json
import os
from collections.abc import Mapping

import numpy as np
from absl import logging

from tf_taskology.datasets import rgbd_files
from tf_taskology.datasets.point_clouds import box_frames, point_files, recordings
from tf_taskology.datasets.video import footage, kitti_files

CLASSES = {
  "Car": recordings.VEHICLE,
  "Truck": recordings.VEHICLE,
  "Bus/RV/Caravan": recordings.VEHICLE,
  "Trailer": recordings.DO_NOT_CARE,
  "Towed Object": recordings.DO_NOT_CARE,
  "Wheeled Slow": recordings.DO_NOT_CARE,
  "Train": recordings.DO_NOT_CARE,
  "Motorcycle": recordings.LEFT_OUT,
  "Bicycle": recordings.LEFT_OUT,
  "Person": recordings.LEFT_OUT,
}
_BOXES_3D = "1"  # number of the kind of annotation
_KEY = "data"  # of the arrays of points
_COLUMNS = ("X", "Y", "Z", "INTENSITY")


class DgpScenes(recordings.Recordings):
  """Scenes, each a folder with a scene_*.json that names everything in it; each is a clip.

    scene_01/scene_<hash>.json  calibration/<hash>.json  ontology/<hash>.json
             point_cloud/LIDAR/<time>.npz  bounding_box_3d/LIDAR/<time>.json

  Points and boxes come in the vehicle's frame, by the sensor's extrinsics. Labels are boxes, classes, tracks and
  box_points; the counts of points in the files are of denser scans, so those of the scan are taken.

  Args:
    path: folder of a scene, or folder of such folders.
    sensor: name of the LiDAR; scenes without it are left out.
    classes: class name -> number, as `recordings.Recordings.classes`, besides or instead of those of DDAD's ontology.
    sensor_height: metres from the ground up to the origin of the vehicle's frame: about 0.2 in the test scene of DGP.
  """

  def __init__(
    self,
    path: str,
    sensor: str = "LIDAR",
    sensor_height: float = 0.2,
    classes: Mapping[str, int] | None = None,
  ):
    self._path = rgbd_files.absolute(path)
    self._sensor = sensor
    self._sensor_height = sensor_height
    self._classes = {**CLASSES, **(classes or {})}

  @property
  def classes(self) -> Mapping[str, int]:
    return self._classes

  @property
  def labels(self) -> tuple[str, ...]:
    return ("boxes", "classes", "tracks", "box_points")

  @property
  def sensor_height(self) -> float:
    return self._sensor_height

  def describe(self) -> str:
    return f"DGP {self._path}"

  def clips(self) -> list[recordings.Clip]:
    footage.require_folder(self._path, "DGP folder")
    files = sorted(glob.glob(os.path.join(glob.escape(self._path), "scene_*.json")))
    files += sorted(glob.glob(os.path.join(glob.escape(self._path), "*", "scene_*.json")))
    scenes = {file: _json(file) for file in files}
    # A data set's list of its scenes may be called scene_dataset_v1.0.json.
    scenes = {file: scene for file, scene in scenes.items() if "scene_splits" not in scene}
    if not scenes:
      raise ValueError(
        f"{self._path!r}: no scene_*.json there or in a folder of it. It holds {sorted(os.listdir(self._path))[:10]}."
      )
    folders = [os.path.dirname(file) for file in scenes]
    sweeps = {file: self._sweeps(file, scene) for file, scene in scenes.items()}
    without = [file for file in scenes if not sweeps[file]]
    if without:
      data = _get(scenes[without[0]], without[0], "data")
      names = sorted({_get(datum, without[0], "data", "id", "name") for datum in data})
      text = f"no sample has data of {self._sensor!r}. It has data of {names}"
      if len(without) == len(scenes):
        raise ValueError(f"{without[0]!r}: {text}.")
      logging.warning(
        "%s: %d of %d scenes are left out, e.g. %r: %s",
        self.describe(), len(without), len(scenes), without[0], text,
      )  # fmt: skip
    clips = []
    for file in sweeps:
      if sweeps[file]:
        alone = folders.count(os.path.dirname(file)) == 1
        clips += self._clips(file, scenes[file], sweeps[file], alone)
    return clips

  def read_points(self, clip: recordings.Clip, sweep: recordings.Sweep) -> np.ndarray:
    to_vehicle, columns = sweep.extra
    array = point_files.read_archive(sweep.points, _KEY)
    if array.ndim != 2 or array.shape[1] <= max(columns):
      raise ValueError(
        f"Points {sweep.points!r}: at least {max(columns) + 1} columns are expected by point_format of its scene. "
        f"Received: shape {array.shape}."
      )
    points = point_files.to_points(array[:, columns], sweep.points)
    moved = points[:, :3].astype(np.float64) @ to_vehicle[:3, :3].T + to_vehicle[:3, 3]
    return np.concatenate([moved.astype(np.float32), points[:, 3:]], axis=-1)

  def read_boxes(self, clip: recordings.Clip, sweep: recordings.Sweep) -> recordings.Boxes:
    path, (to_vehicle, _) = sweep.files[recordings.BOXES], sweep.extra
    names = _class_names(clip.extra)
    boxes, found, tracks = [], [], []
    for i, annotation in enumerate(_get(_json(path), path, "annotations")):
      place = f"annotations[{i}]"
      number = _get(annotation, path, place, "class_id")
      if number not in names:
        raise ValueError(
          f"{path!r}, {place}.class_id: unknown class {number!r}. {clip.extra!r} knows: {sorted(names)}."
        )
      boxes.append(_box(_get(annotation, path, place, "box"), path, f"{place}.box", to_vehicle))
      found.append(names[number])
      tracks.append(str(_get(annotation, path, place, "instance_id")))
    boxes = np.array(boxes, np.float64).reshape(-1, 7)
    wrong = box_frames.problem(boxes)
    if wrong:
      raise ValueError(f"{path!r}, annotations[{wrong[0]}].box: {wrong[1]}.")
    return recordings.Boxes(boxes, found, tracks)

  def _sweeps(self, path, scene):
    """Of the samples that have data of the sensor."""
    folder = os.path.dirname(path)
    data = {_get(datum, path, "data", "key"): datum for datum in _get(scene, path, "data")}
    calibrations, sweeps = {}, []
    for i, sample in enumerate(_get(scene, path, "samples")):
      place = f"samples[{i}]"
      keys = _get(sample, path, place, "datum_keys")
      missing = [key for key in keys if key not in data]
      if missing:
        raise ValueError(f"{path!r}, {place}.datum_keys: {missing[0]!r} is no key of `data`.")
      found = [data[k] for k in keys if _get(data[k], path, "data", "id", "name") == self._sensor]
      if not found:
        continue
      key = _get(sample, path, place, "calibration_key")
      if key not in calibrations:
        file = os.path.join(folder, "calibration", f"{key}.json")
        calibrations[key] = self._extrinsics(file)
      sweeps.append(self._sweep(found[0], path, calibrations[key]))
    return sweeps

  def _clips(self, path, scene, sweeps, alone):
    """Clips of a scene, which may lie in its folder `alone` or beside others."""
    folder = os.path.dirname(path)
    ontology = scene.get("ontologies", {}).get(_BOXES_3D)
    ontology = ontology and os.path.join(folder, "ontology", f"{ontology}.json")
    name = os.path.relpath(folder, self._path)
    name = os.path.basename(folder) if name == "." else name
    name = name if alone else f"{name}/{os.path.splitext(os.path.basename(path))[0]}"
    if any(sweep.files for sweep in sweeps):
      if ontology is None:
        raise ValueError(f"{path!r}, ontologies: has none for 3D boxes ({_BOXES_3D!r}).")
      _class_names(ontology)
    return recordings.by_times(name, sweeps, ontology)

  def _sweep(self, datum, path, to_vehicle):
    folder, place = os.path.dirname(path), f"data of {datum['key']!r}"
    cloud = _get(datum, path, place, "datum", "point_cloud")
    formats = [str(name) for name in _get(cloud, path, place, "point_format")]
    if not set(_COLUMNS[:3]) <= set(formats):
      raise ValueError(
        f"{path!r}, {place}.point_format: X, Y and Z are needed. Received: {formats}."
      )
    columns = [formats.index(name) for name in _COLUMNS if name in formats]
    pose = _transform(_get(cloud, path, place, "pose"), path, f"{place}.pose")
    stamp = _get(datum, path, place, "id", "timestamp")
    try:
      time = datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
    except (ValueError, AttributeError) as error:
      raise ValueError(f"{path!r}, {place}.id.timestamp: {error}.") from error
    file = _get(cloud, path, place, "filename")
    boxes = cloud.get("annotations", {}).get(_BOXES_3D)
    return recordings.Sweep(
      os.path.splitext(os.path.basename(file))[0],
      os.path.join(folder, file),
      pose=pose @ np.linalg.inv(to_vehicle),
      time=time,
      files={recordings.BOXES: os.path.join(folder, boxes)} if boxes else {},
      extra=(to_vehicle, columns),
    )

  def _extrinsics(self, path):
    """[4, 4] from the sensor to the vehicle."""
    fields = _json(path)
    names, extrinsics = _get(fields, path, "names"), _get(fields, path, "extrinsics")
    if len(names) != len(extrinsics) or self._sensor not in names:
      raise ValueError(
        f"{path!r}: an extrinsic transform for each of its names, {self._sensor!r} among them, is expected. Received: "
        f"{len(extrinsics)} for {names}."
      )
    index = names.index(self._sensor)
    return _transform(extrinsics[index], path, f"extrinsics[{index}]")


def _box(box, path, place, to_vehicle):
  pose = to_vehicle @ _transform(_get(box, path, place, "pose"), path, f"{place}.pose")
  size = [float(_get(box, path, place, name)) for name in ("length", "width", "height")]
  return [*pose[:3, 3], *size, np.arctan2(pose[1, 0], pose[0, 0])]


def _transform(pose, path, place):
  """[4, 4] of {"rotation": {qw, ...}, "translation": {x, ...}}."""
  try:
    rotation = box_frames.rotation([float(pose["rotation"][f"q{axis}"]) for axis in "wxyz"])
    shift = np.array([float(pose["translation"][axis]) for axis in "xyz"])
    if not np.all(np.isfinite(shift)):
      raise ValueError(f"finite numbers are expected. Received: {shift}")
  except (KeyError, TypeError) as error:
    raise ValueError(
      f"{path!r}, {place}: rotation with qw, qx, qy, qz and translation with x, y, z are expected. Received: {pose}."
    ) from error
  except ValueError as error:
    raise ValueError(f"{path!r}, {place}: {error}.") from error
  return kitti_files.transform(rotation, shift)


def _get(value, path, *names):
  """value[names...], where the leading names that are none of its keys only say where it is."""
  for i, name in enumerate(names):
    if isinstance(value, Mapping) and name in value:
      value = value[name]
    elif i == len(names) - 1 or not isinstance(value, Mapping):
      raise ValueError(f"{path!r}: {'.'.join(names)} is missing.")
  return value


def _json(path):
  try:
    with open(path, encoding="utf-8") as file:
      return json.load(file)
  except (OSError, ValueError) as error:
    raise ValueError(f"Cannot read {path!r}: {error}.") from error


@rgbd_files.cached
def _class_names(path):
  """Number of a class -> its name."""
  items = _get(_json(path), path, "items")
  return {_get(item, path, "items", "id"): _get(item, path, "items", "name") for item in items}
