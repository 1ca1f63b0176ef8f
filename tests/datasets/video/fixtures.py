"""Tiny data sets in their native formats."""

import json
import os
import struct

import numpy as np
import tensorflow as tf
from PIL import Image

SIZE = (24, 40)
CAMERA = np.array([[30.0, 0.0, 19.0], [0.0, 31.0, 12.0], [0.0, 0.0, 1.0]])
LIDAR_TO_CAMERA = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
LIDAR_OFFSET = np.array([0.0, -0.1, -0.3])
BASELINE = 0.06  # metres: camera 2 is so far to the left of camera 0


def image(index, size=SIZE):
  """[H, W, 3] uint8: a coarse random pattern that shifts by a pixel a frame."""
  coarse = np.random.default_rng(0).integers(0, 255, (size[0] // 4 + 1, 64, 3)).astype(np.uint8)
  fine = np.repeat(np.repeat(coarse, 4, 0), 4, 1)
  return fine[: size[0], index % 64 : index % 64 + size[1]]


def save(path, pixels):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  Image.fromarray(pixels).save(path)
  return path


def save_text(path, text):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  with open(path, "w", encoding="utf-8") as file:
    file.write(text)
  return path


def words(values):
  return " ".join(repr(float(value)) for value in np.ravel(values))


def frames_folder(folder, count=10, intrinsics=True):
  for index in range(count):
    save(os.path.join(folder, f"{index}.png"), image(index))
  if intrinsics:
    values = CAMERA[[0, 1, 0, 1], [0, 1, 2, 2]]
    save_text(os.path.join(folder, "intrinsics.txt"), words(values))
  return folder


def scan(path, camera_points):
  """A LiDAR scan of points [n, 3] in the axes of camera 0."""
  points = (camera_points - LIDAR_OFFSET) @ LIDAR_TO_CAMERA
  os.makedirs(os.path.dirname(path), exist_ok=True)
  np.hstack([points, np.ones((len(points), 1))]).astype(np.float32).tofile(path)
  return path


def wall(z=8.0, size=SIZE):
  """Points [n, 3] in the axes of camera 0, one on the ray of every pixel of camera 2."""
  rows, columns = np.mgrid[: size[0], : size[1]]
  rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(CAMERA).T
  return (rays * z).reshape(-1, 3) - (BASELINE, 0.0, 0.0)


def _projection():
  offset = CAMERA @ (BASELINE, 0.0, 0.0)
  return np.hstack([CAMERA, offset[:, np.newaxis]])


def kitti_raw(folder, count=6, scans=True, oxts=True, first=0):
  """A drive to the east: 1 m a frame, 0.02 rad to the left a frame."""
  date = os.path.join(folder, "2011_09_26")
  drive = os.path.join(date, "2011_09_26_drive_0001_sync")
  for index in range(first, first + count):
    name = f"{index:010d}"
    save(os.path.join(drive, "image_02", "data", f"{name}.png"), image(index))
    if scans:
      scan(os.path.join(drive, "velodyne_points", "data", f"{name}.bin"), wall(8.0 + index))
    if oxts:
      longitude = np.degrees(index / (6378137.0 * np.cos(np.radians(49.0))))
      packet = [49.0, longitude, 112.0, 0.0, 0.0, 0.02 * index, *[0.0] * 24]
      save_text(os.path.join(drive, "oxts", "data", f"{name}.txt"), words(packet))
  save_text(
    os.path.join(date, "calib_cam_to_cam.txt"),
    f"calib_time: 09-Jan-2012 13:57:47\nS_rect_02: {SIZE[1]} {SIZE[0]}\nR_rect_00: {words(np.eye(3))}\n"
    f"P_rect_02: {words(_projection())}\n",
  )
  rigid = f"R: {words(LIDAR_TO_CAMERA)}\nT: {words(LIDAR_OFFSET)}\n"
  save_text(os.path.join(date, "calib_velo_to_cam.txt"), rigid)
  rigid = f"R: {words(np.eye(3))}\nT: {words((-0.8, 0.3, -0.8))}\n"
  save_text(os.path.join(date, "calib_imu_to_velo.txt"), rigid)
  return folder


def kitti_odometry(folder, count=6, poses=True, scans=True):
  """Camera 0 moves 1 m a frame along its axis and turns by 0.02 rad a frame about y."""
  sequence = os.path.join(folder, "sequences", "06")
  lines = []
  for index in range(count):
    name = f"{index:06d}"
    save(os.path.join(sequence, "image_2", f"{name}.png"), image(index))
    if scans:
      scan(os.path.join(sequence, "velodyne", f"{name}.bin"), wall(8.0 + index))
    c, s = np.cos(0.02 * index), np.sin(0.02 * index)
    lines.append(words([[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, index]]))
  lidar = np.hstack([LIDAR_TO_CAMERA, LIDAR_OFFSET[:, np.newaxis]])
  save_text(
    os.path.join(sequence, "calib.txt"), f"P2: {words(_projection())}\nTr: {words(lidar)}\n"
  )
  if poses:
    save_text(os.path.join(folder, "poses", "06.txt"), "\n".join(lines) + "\n")
  return folder


def camvid(folder, counts=(("train", 6), ("val", 4)), numbers=range(0, 300, 30)):
  """Copy of SegNet: numbers in stripes of 2 columns, 11 in the last ones."""
  stripes = np.minimum(np.arange(SIZE[1]) // 2, 11).astype(np.uint8)
  for split, count in counts:
    for number in list(numbers)[:count]:
      name = f"0001TP_{number:06d}.png"
      save(os.path.join(folder, split, name), image(number // 30))
      label = np.broadcast_to(stripes, SIZE)
      save(os.path.join(folder, f"{split}annot", name), np.ascontiguousarray(label))
  return folder


def coco(folder, split="train2017", sizes=((24, 40), (40, 24))):
  """Two images of other sizes: left half road (149), right half a car (3), a corner without a segment."""
  categories = ((3, "car"), (149, "road"), (84, "book"))
  images, annotations = [], []
  for number, size in enumerate(sizes, 1):
    save(os.path.join(folder, split, f"{number:012d}.jpg"), image(number, size))
    ids = np.full(size, 70000 + number)
    ids[:, size[1] // 2 :] = 300
    ids[:4, :4] = 0
    pixels = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], -1).astype(np.uint8)
    save(os.path.join(folder, "annotations", f"panoptic_{split}", f"{number:012d}.png"), pixels)
    about = dict(id=number, file_name=f"{number:012d}.jpg", height=size[0], width=size[1])
    images.append(about)
    segments = [dict(id=70000 + number, category_id=149), dict(id=300, category_id=3)]
    annotations.append(
      dict(image_id=number, file_name=f"{number:012d}.png", segments_info=segments)
    )
  content = dict(
    images=images,
    annotations=annotations,
    categories=[dict(id=number, name=name) for number, name in categories],
  )
  path = os.path.join(folder, "annotations", f"panoptic_{split}.json")
  save_text(path, json.dumps(content))
  return folder


def cityscapes(folder, video=True):
  """One snippet of frames 17-21, labelled at 19; images have an eighth of the side of the originals."""
  size = (128, 256)
  numbers = range(17, 22) if video else (19,)
  name = "aachen_000000"
  for number in numbers:
    images = "leftImg8bit_sequence" if video else "leftImg8bit"
    path = os.path.join(folder, images, "train", "aachen", f"{name}_{number:06d}_leftImg8bit.png")
    save(path, np.tile(image(number, (128, 128)), (1, 2, 1)))
  labels = np.full(size, 7, np.uint8)  # road
  labels[:64] = 23  # sky
  labels[100:] = 1  # ego vehicle
  base = os.path.join("train", "aachen", f"{name}_000019")
  save(os.path.join(folder, "gtFine", f"{base}_gtFine_labelIds.png"), labels)
  disparity = np.full(size, 1 + 256 * 40, np.uint16)  # 40 pixels
  disparity[:64] = 0
  save(os.path.join(folder, "disparity", f"{base}_disparity.png"), disparity)
  camera = {
    "extrinsic": {"baseline": 0.2},
    "intrinsic": {"fx": 2200.0, "fy": 2220.0, "u0": 1050.0, "v0": 520.0},
  }
  save_text(os.path.join(folder, "camera", f"{base}_camera.json"), json.dumps(camera))
  return folder


def varint(value):
  result = b""
  while value > 127:
    result += bytes([value & 127 | 128])
    value >>= 7
  return result + bytes([value])


def field(number, value):
  """A protocol buffer field: int, bytes, or a list of doubles one by one."""
  if isinstance(value, int):
    return varint(number << 3) + varint(value)
  if isinstance(value, bytes):
    return varint(number << 3 | 2) + varint(len(value)) + value
  return b"".join(varint(number << 3 | 1) + struct.pack("<d", float(v)) for v in value)


def encoded(pixels, file_format):
  return bytes((tf.io.encode_png if file_format == "png" else tf.io.encode_jpeg)(pixels).numpy())


def waymo_frame(index, panoptic=True, name=b"segment-1"):
  """A serialized Frame: the car drives 1 m a frame along its x; the camera looks ahead from (1, 0, 2)."""
  extrinsic = np.eye(4)
  extrinsic[:3, 3] = (1.0, 0.0, 2.0)
  pose = np.eye(4)
  pose[:3, 3] = (1000.0 + index, 500.0, 20.0)
  calibration = field(1, 1) + field(2, [30.0, 31.0, 19.0, 12.0, 0.1, 0, 0, 0, 0])
  calibration += field(3, field(1, np.ravel(extrinsic)))
  calibration += field(4, SIZE[1]) + field(5, SIZE[0])
  content = field(1, 1) + field(2, encoded(image(index), "jpeg"))
  # Packed, as another writer might do.
  content += field(3, field(1, np.ravel(pose).astype("<f8").tobytes()))
  if panoptic:
    label = np.full((*SIZE, 1), 20 * 1000, np.uint16)  # road
    label[:12] = 2 * 1000 + 7  # a car
    content += field(10, field(1, 1000) + field(2, encoded(label, "png")))
  return field(1, field(1, name) + field(2, calibration)) + field(2, 123456) + field(4, content)


def waymo(folder, count=4):
  """Frames of which the even ones are labelled."""
  os.makedirs(folder, exist_ok=True)
  with tf.io.TFRecordWriter(os.path.join(folder, "segment-1.tfrecord")) as writer:
    for index in range(count):
      writer.write(waymo_frame(index, panoptic=index % 2 == 0))
  return folder
