"""Tiny data sets of point clouds in their native formats, with a truth that is written down independently.

The scene: level ground at z = 0 and vehicles that stand or drive, in a world with z up. The car drives along x, 2 m and
0.1 rad to the left a sweep. Every vehicle has `INSIDE` points inside its box and `AROUND` points just outside.
"""

import json
import os

import numpy as np

INSIDE, AROUND, GROUND = 20, 24, 200
SIZE = (4.2, 1.8, 1.6)  # length, width, height, metres
SENSOR_HEIGHT = 1.73
CAMERA_SIZE = (375, 1242)
# Tilted and turned, as real ones are: nothing may cancel out.
LIDAR_TO_CAMERA = np.array(
  [
    [0.01, -0.9999, -0.01, -0.02],
    [0.02, 0.0102, -0.99975, -0.07],
    [0.99975, 0.0098, 0.0201, -0.3],
    [0, 0, 0, 1],
  ]
)
IMU_TO_LIDAR = np.array([[1, 0, 0, -0.8], [0, 1, 0, 0.3], [0, 0, 1, -0.8], [0, 0, 0, 1.0]])
PROJECTION = np.array([[720.0, 0, 610, 45], [0, 720, 175, 0.2], [0, 0, 1, 0.003]])


def orthonormal(matrix):
  """The nearest rigid transform."""
  result = np.array(matrix, np.float64)
  u, _, v = np.linalg.svd(result[:3, :3])
  result[:3, :3] = u @ v
  return result


LIDAR_TO_CAMERA = orthonormal(LIDAR_TO_CAMERA)
RECTIFY = orthonormal([[1, 0.01, -0.008], [-0.01, 1, -0.004], [0.008, 0.004, 1]])


def save_text(path, text):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  with open(path, "w", encoding="utf-8") as file:
    file.write(text)
  return path


def save_points(path, points):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  points.astype(np.float32).tofile(path)
  return path


def words(values):
  return " ".join(repr(float(value)) for value in np.ravel(values))


def turn(angle):
  """[4, 4] about z."""
  result = np.eye(4)
  result[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
  return result


def shift(x, y, z=0.0):
  result = np.eye(4)
  result[:3, 3] = x, y, z
  return result


def car_pose(index):
  """[4, 4] of the car's place on the ground at a sweep, to the world."""
  return shift(500 + 2.0 * index, -300 + 0.1 * index) @ turn(0.1 * index)


def vehicle_pose(track, index):
  """[4, 4] of the middle of a vehicle's floor, to the world: 0 is parked, 1 drives on."""
  if track == 0:
    return shift(515, -296) @ turn(0.7)
  return shift(512 + 3.0 * index, -304) @ turn(0.05 * index - 0.2)


def box(track, index, frame=None):
  """[7] of a vehicle in the frame of the car at sweep `frame`, by default the same one."""
  pose = np.linalg.inv(car_pose(index if frame is None else frame)) @ vehicle_pose(track, index)
  heading = np.arctan2(pose[1, 0], pose[0, 0])
  return np.array([*pose[:2, 3], pose[2, 3] + SIZE[2] / 2, *SIZE, heading])


def points(index, tracks=(0, 1)):
  """[n, 4] in the frame of the car on the ground; intensities in 0..1."""
  generator = np.random.default_rng(index)
  x, y = generator.uniform(3, 40, GROUND), generator.uniform(-12, 12, GROUND)
  parts = [np.stack([x, y, generator.normal(0, 0.01, GROUND)], -1)]
  for track in tracks:
    pose = np.linalg.inv(car_pose(index)) @ vehicle_pose(track, index)
    local = generator.uniform(-0.49, 0.49, (INSIDE, 3)) * SIZE
    around = generator.uniform(-0.49, 0.49, (AROUND, 3)) * SIZE
    axis = generator.integers(0, 2, AROUND)
    sides = np.sign(generator.uniform(-1, 1, AROUND))
    around[np.arange(AROUND), axis] = sides * (0.5 * np.array(SIZE)[axis] + 0.1)
    both = np.concatenate([local, around]) + (0, 0, SIZE[2] / 2)
    parts.append(both @ pose[:3, :3].T + pose[:3, 3])
    # Ground below a vehicle is not seen, and would be inside its box.
    ground = parts[0]
    offset = (ground - pose[:3, 3]) @ pose[:3, :3]
    parts[0] = ground[np.any(np.abs(offset[:, :2]) > 0.5 * np.array(SIZE[:2]) + 0.05, axis=-1)]
  places = np.concatenate(parts)
  return np.concatenate([places, generator.uniform(0, 1, (len(places), 1))], axis=-1)


def lidar_points(index, tracks=(0, 1)):
  """[n, 4] in the axes of a sensor above the car."""
  return points(index, tracks) - (0, 0, SENSOR_HEIGHT, 0)


def kitti_to_camera():
  """[4, 4] LiDAR to rectified camera."""
  rectify = np.eye(4)
  rectify[:3, :3] = RECTIFY
  return rectify @ LIDAR_TO_CAMERA


def kitti_line(track, index, name="Car", image=(600, 150, 700, 200), truncated=0.0, occluded=0):
  """An object as a label file has it: written in camera axes, from the vehicle's pose."""
  to_camera = kitti_to_camera() @ shift(0, 0, -SENSOR_HEIGHT)
  pose = np.linalg.inv(car_pose(index)) @ vehicle_pose(track, index)
  # KITTI's boxes stand upright in the camera's axes: their floor's middle is half a height below the middle there.
  middle = to_camera @ pose @ np.array([0, 0, SIZE[2] / 2, 1])
  front = (to_camera @ pose)[:3, 0]
  turned = np.arctan2(-front[2], front[0])
  bottom = middle[:3] + (0, SIZE[2] / 2, 0)
  length, width, height = SIZE
  numbers = [*image, height, width, length, *bottom, turned]
  return f"{name} {truncated} {occluded} 0.0 {words(numbers)}"


_DONT_CARE = "DontCare -1 -1 -10 5.0 229.9 214.1 367.6 -1 -1 -1 -1000 -1000 -1000 -10"


def kitti_calibration(colons=True):
  rigid = LIDAR_TO_CAMERA[:3]
  names = (
    ("R0_rect", "Tr_velo_to_cam", "Tr_imu_to_velo")
    if colons
    else ("R_rect", "Tr_velo_cam", "Tr_imu_velo")
  )
  mark = ":" if colons else ""
  return (
    f"P0: {words(PROJECTION)}\nP2: {words(PROJECTION)}\n{names[0]}{mark} {words(RECTIFY)}\n"
    f"{names[1]}{mark} {words(rigid)}\n{names[2]}{mark} {words(IMU_TO_LIDAR[:3])}\n\n"
  )


def kitti_object(folder, count=5, labels=True):
  """Scans of sweeps that do not follow each other; behind the car stands a wall that no image shows."""
  root = os.path.join(folder, "training")
  for index in range(count):
    wall = np.array([[-10.0, y, 0.5, 0.5] for y in range(-5, 5)])
    scan = np.concatenate([lidar_points(index), wall])
    save_points(os.path.join(root, "velodyne", f"{index:06d}.bin"), scan)
    save_text(os.path.join(root, "calib", f"{index:06d}.txt"), kitti_calibration())
    if labels:
      lines = [kitti_line(0, index), _DONT_CARE, kitti_line(1, index, "Pedestrian")]
      save_text(os.path.join(root, "label_2", f"{index:06d}.txt"), "\n".join(lines) + "\n")
  return folder


def oxts(index):
  """A packet of the IMU on the car, which has the LiDAR at its place."""
  pose = car_pose(index) @ shift(0, 0, SENSOR_HEIGHT) @ IMU_TO_LIDAR
  earth, first = 6378137.0, 49.0
  scale = np.cos(np.radians(first))
  longitude = 8.0 + np.degrees(pose[0, 3] / (scale * earth))
  ahead = np.log(np.tan(np.pi / 4 + np.radians(first) / 2)) + (pose[1, 3] + 300) / (scale * earth)
  latitude = np.degrees(2 * (np.arctan(np.exp(ahead)) - np.pi / 4))
  yaw = np.arctan2(pose[1, 0], pose[0, 0])
  return words([latitude, longitude, pose[2, 3], 0, 0, yaw, *[0] * 24])


def kitti_tracking(folder, count=6, labels=True, missing=(), packets=True):
  root = os.path.join(folder, "training")
  lines = []
  for index in range(count):
    if index not in missing:
      save_points(os.path.join(root, "velodyne", "0003", f"{index:06d}.bin"), lidar_points(index))
    lines += [f"{index} {7 + track} {kitti_line(track, index)}" for track in (0, 1)]
    lines.append(f"{index} -1 {_DONT_CARE}")
  save_text(os.path.join(root, "calib", "0003.txt"), kitti_calibration(colons=False))
  if packets:
    text = "\n".join(oxts(index) for index in range(count))
    save_text(os.path.join(root, "oxts", "0003.txt"), text + "\n")
  if labels:
    save_text(os.path.join(root, "label_02", "0003.txt"), "\n".join(lines) + "\n")
  return folder


def quaternion(matrix):
  """(w, x, y, z) of a rotation about z."""
  angle = np.arctan2(matrix[1, 0], matrix[0, 0])
  return {"qw": float(np.cos(angle / 2)), "qx": 0.0, "qy": 0.0, "qz": float(np.sin(angle / 2))}


def dgp_pose(matrix):
  translation = dict(zip("xyz", map(float, matrix[:3, 3]), strict=True))
  return {"rotation": quaternion(matrix), "translation": translation}


DGP_EXTRINSIC = shift(1.2, 0.3, 1.5) @ turn(0.4)  # LiDAR to vehicle, whose origin is on the ground


def dgp(folder, count=3, times=None):
  """One scene; a camera's data between those of the LiDAR."""
  root = os.path.join(folder, "scene_01")
  data, samples = [], []
  for index in range(count):
    scan = points(index)
    local = np.c_[scan[:, :3], np.ones(len(scan))] @ np.linalg.inv(DGP_EXTRINSIC).T
    path = os.path.join("point_cloud", "LIDAR", f"{index}.npz")
    os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
    np.savez(os.path.join(root, path), data=np.c_[scan[:, 3], local[:, :3]])
    annotations = []
    for track in (0, 1):
      pose = np.linalg.inv(car_pose(index)) @ vehicle_pose(track, index) @ shift(0, 0, SIZE[2] / 2)
      sizes = dict(zip(("length", "width", "height"), SIZE, strict=True))
      annotations.append(
        {
          "class_id": 2,
          "instance_id": 900 + track,
          "num_points": 5 * INSIDE,
          "box": {**sizes, "pose": dgp_pose(np.linalg.inv(DGP_EXTRINSIC) @ pose)},
        }
      )
    boxes = os.path.join("bounding_box_3d", "LIDAR", f"{index}.json")
    save_text(os.path.join(root, boxes), json.dumps({"annotations": annotations}))
    time = 0.1 * index if times is None else times[index]
    data.append(
      {
        "key": f"lidar{index}",
        "id": {"name": "LIDAR", "timestamp": f"2019-05-15T00:00:{time:09.6f}Z"},
        "datum": {
          "point_cloud": {
            "filename": path,
            "point_format": ["INTENSITY", "X", "Y", "Z"],
            "pose": dgp_pose(car_pose(index) @ DGP_EXTRINSIC),
            "annotations": {"1": boxes},
          }
        },
      }
    )
    data.append({"key": f"camera{index}", "id": {"name": "CAMERA_01"}, "datum": {"image": {}}})
    samples.append(
      {"datum_keys": [f"camera{index}", f"lidar{index}"], "calibration_key": "calibrated"}
    )
  scene = {"data": data, "samples": samples, "ontologies": {"1": "things"}}
  save_text(os.path.join(root, "scene_0.json"), json.dumps(scene))
  extrinsics = {
    "names": ["CAMERA_01", "LIDAR"],
    "extrinsics": [dgp_pose(np.eye(4)), dgp_pose(DGP_EXTRINSIC)],
  }
  save_text(os.path.join(root, "calibration", "calibrated.json"), json.dumps(extrinsics))
  items = [{"id": 2, "name": "Car"}, {"id": 0, "name": "Person"}]
  save_text(os.path.join(root, "ontology", "things.json"), json.dumps({"items": items}))
  return folder


def sweep_folder(folder, count=5, ending=".bin", boxes=True, poses=True, times=None):
  """Numbers without leading zeros: 10 comes after 9."""
  rows = ["class,track,heading,file,x,y,z,length,width,height"]
  for index in range(count):
    path = os.path.join(folder, f"{index}{ending}")
    if ending == ".bin":
      save_points(path, points(index))
    else:
      os.makedirs(folder, exist_ok=True)
      np.save(path, points(index))
    for track in (0, 1):
      x, y, z, length, width, height, heading = box(track, index)
      numbers = f"{x!r},{y!r},{z!r},{length},{width},{height}"
      rows.append(f"vehicle,v{track},{heading!r},{index}{ending if track else ''},{numbers}")
  if boxes:
    save_text(os.path.join(folder, "boxes.csv"), "\n".join(rows) + "\n")
  if poses:
    text = "\n".join(words(car_pose(index)[:3]) for index in range(count))
    save_text(os.path.join(folder, "poses.txt"), text + "\n")
  if times is not None:
    save_text(os.path.join(folder, "times.txt"), "\n".join(map(str, times)) + "\n")
  return folder


WAYMO_SEGMENT = "segment_1"
WAYMO_ROWS, WAYMO_COLUMNS = 4, 36
WAYMO_BEAMS = (-0.2, -0.12, -0.05, 0.02)  # radians, of the laser on top, from the lowest
WAYMO_EXTRINSIC = shift(1.4, 0.1, 2.1) @ turn(2.6)
_FRONT_BEAMS = (-0.4, 0.4)  # lowest and highest of the laser in front


def waymo_ranges(index, returned=1):
  """[rows, columns] metres; 0 is no return."""
  ranges = np.random.default_rng(10 * index + returned).uniform(4, 60, (WAYMO_ROWS, WAYMO_COLUMNS))
  ranges[:, :: 5 if returned == 1 else 2] = 0
  return ranges.astype(np.float32)


def waymo_points(index, laser, returned):
  """[n, 4] in the car's frame on the ground, row by row: rows go down, columns clockwise from behind the car."""
  ranges = waymo_ranges(index, returned)
  extrinsic = WAYMO_EXTRINSIC if laser == 1 else shift(4, 0, 1) @ turn(-0.3)
  beams = WAYMO_BEAMS
  if laser != 1:
    low, high = _FRONT_BEAMS
    step = (high - low) / WAYMO_ROWS
    beams = [low + step * (row + 0.5) for row in range(WAYMO_ROWS)]
  found = []
  for row in range(WAYMO_ROWS):
    up = beams[WAYMO_ROWS - 1 - row]
    for column in range(WAYMO_COLUMNS):
      if ranges[row, column] > 0:
        around = np.pi - 2 * np.pi * (column + 0.5) / WAYMO_COLUMNS
        ray = np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)
        point = np.append(extrinsic[:3, 3] + ranges[row, column] * np.array(ray), 1.0)
        if laser == 1:
          point = np.linalg.inv(car_pose(index)) @ car_pose(index + column / 100) @ point
        found.append([*point[:3], np.tanh(0.1 * row)])
  return np.array(found)


def _waymo_image(ranges):
  """[rows, columns, 4]: range, intensity, elongation, whether in a zone without labels."""
  rows = np.arange(WAYMO_ROWS)[:, np.newaxis] * np.ones_like(ranges)
  return np.stack([ranges, 0.1 * rows, 0 * rows, -np.ones_like(ranges)], -1).astype(np.float32)


def waymo_tables(count=3):
  """Component -> columns, as the Parquet files have them."""
  time = [1_000_000 + 100_000 * index for index in range(count)]
  key = "key.frame_timestamp_micros"
  lidar = {key: [], "key.laser_name": []}
  for number in (1, 2):
    for part in ("values", "shape"):
      lidar[f"[LiDARComponent].range_image_return{number}.{part}"] = []
  pixels, steps = "[LiDARPoseComponent].range_image_return1.", np.arange(WAYMO_COLUMNS) / 100
  poses = {key: time, "key.laser_name": [1] * count, f"{pixels}values": [], f"{pixels}shape": []}
  names = [f"box.center.{a}" for a in "xyz"] + [f"box.size.{a}" for a in "xyz"] + ["box.heading"]
  names = [f"[LiDARBoxComponent].{name}" for name in names]
  counts, kind = "[LiDARBoxComponent].num_lidar_points_in_box", "[LiDARBoxComponent].type"
  level = "[LiDARBoxComponent].difficulty_level.detection"
  boxes = {key: [], "key.laser_object_id": [], kind: [], counts: [], level: []}
  boxes.update({name: [] for name in names})
  for index in range(count):
    for laser in (1, 2):
      lidar[key].append(time[index])
      lidar["key.laser_name"].append(laser)
      for number in (1, 2):
        image = _waymo_image(waymo_ranges(index, number)) if (laser, number) != (2, 2) else None
        column = f"[LiDARComponent].range_image_return{number}."
        lidar[f"{column}values"].append(None if image is None else image.ravel().tolist())
        lidar[f"{column}shape"].append(None if image is None else list(image.shape))
    each = np.zeros((WAYMO_ROWS, WAYMO_COLUMNS, 6), np.float32)
    for column, step in enumerate(steps):
      pose = car_pose(index + step)
      each[:, column, 2] = np.arctan2(pose[1, 0], pose[0, 0])
      each[:, column, 3:] = pose[:3, 3]
    poses[f"{pixels}values"].append(each.ravel().tolist())
    poses[f"{pixels}shape"].append(list(each.shape))
    for track in (0, 1):
      values = [time[index], f"id{track}", 1 + track, 7 + track, 1 + track, *box(track, index)]
      for column, value in zip(boxes, values, strict=True):
        boxes[column].append(value)
  calibration = "[LiDARCalibrationComponent]."
  return {
    "lidar": lidar,
    "lidar_pose": poses,
    "lidar_box": boxes,
    "lidar_calibration": {
      "key.laser_name": [1, 2],
      f"{calibration}extrinsic.transform": [
        WAYMO_EXTRINSIC.ravel().tolist(),
        (shift(4, 0, 1) @ turn(-0.3)).ravel().tolist(),
      ],
      f"{calibration}beam_inclination.min": [WAYMO_BEAMS[0], _FRONT_BEAMS[0]],
      f"{calibration}beam_inclination.max": [WAYMO_BEAMS[-1], _FRONT_BEAMS[1]],
      f"{calibration}beam_inclination.values": [list(WAYMO_BEAMS), None],
    },
    "vehicle_pose": {
      key: time,
      "[VehiclePoseComponent].world_from_vehicle.transform": [
        car_pose(index).ravel().tolist() for index in range(count)
      ],
    },
  }


def waymo_v2(folder, tables=None, arrow=None):
  """One segment; `arrow` is the module pyarrow.parquet with its tables."""
  for component, columns in (tables or waymo_tables()).items():
    path = os.path.join(folder, component, f"{WAYMO_SEGMENT}.parquet")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    table = arrow.table(
      {**columns, "key.segment_context_name": [WAYMO_SEGMENT] * len(next(iter(columns.values())))}
    )
    arrow.parquet.write_table(table, path, row_group_size=2)
  return folder
