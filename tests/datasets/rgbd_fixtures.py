"""Tiny RGB-D folders of every layout: a camera that slides along x in front of a slanted plane."""

import os

import numpy as np
from PIL import Image

SIZE = (24, 32)
CAMERA = np.array([[30.0, 0.0, 15.5], [0.0, 31.0, 11.5], [0.0, 0.0, 1.0]])
NORMAL = np.array([0.3, -0.2, -1.0]) / np.linalg.norm([0.3, -0.2, -1.0])
OFFSET = -1.8  # metres: NORMAL . point = OFFSET in the world
STEP = 0.02  # metres between frames


def rays(camera=CAMERA, size=SIZE):
  """[H, W, 3], z = 1."""
  rows, columns = np.mgrid[: size[0], : size[1]]
  return np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(camera).T


def depth(index, camera=CAMERA, size=SIZE):
  """Depth of frame `index`, [H, W] metres."""
  origin = np.array([index * STEP, 0.0, 0.0])
  return (OFFSET - NORMAL @ origin) / (rays(camera, size) @ NORMAL)


def color(index, size=SIZE):
  """[H, W, 3] uint8, other for every frame."""
  return np.random.default_rng(index).integers(0, 255, (*size, 3)).astype(np.uint8)


def pose(index):
  matrix = np.eye(4)
  matrix[0, 3] = index * STEP
  return matrix


def save(path, pixels):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  Image.fromarray(pixels).save(path)


def save_depth(path, metres, scale=1000.0):
  save(path, np.round(metres * scale).astype(np.uint16))


def save_text(path, values):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  np.savetxt(path, np.atleast_2d(values))


def seven_scenes(folder, count=10):
  for index in range(count):
    base = os.path.join(folder, f"frame-{index:06d}")
    save(f"{base}.color.png", color(index))
    save_depth(f"{base}.depth.png", depth(index))
    save_text(f"{base}.pose.txt", pose(index))
  save_text(os.path.join(folder, "camera-intrinsics.txt"), CAMERA)
  return folder


def plain(folder, count=10, normals=False):
  for index in range(count):
    save(os.path.join(folder, "image", f"{index}.png"), color(index))
    save_depth(os.path.join(folder, "depth", f"{index}.png"), depth(index))
    save_text(os.path.join(folder, "pose", f"{index}.txt"), pose(index))
    if normals:
      pixels = np.round((np.broadcast_to(NORMAL, (*SIZE, 3)) + 1) * 127.5).astype(np.uint8)
      save(os.path.join(folder, "normals", f"{index}.png"), pixels)
  save_text(os.path.join(folder, "intrinsics.txt"), [CAMERA[0, 0], CAMERA[1, 1], *CAMERA[:2, 2]])
  return folder


def scannet(folder, count=12):
  """Depth has half the resolution and a camera of its own; names without leading zeros."""
  size = (SIZE[0] // 2, SIZE[1] // 2)
  camera = np.array([[14.0, 0.0, 8.0], [0.0, 14.5, 5.0], [0.0, 0.0, 1.0]])
  for index in range(count):
    save(os.path.join(folder, "color", f"{index}.png"), color(index))
    save_depth(os.path.join(folder, "depth", f"{index}.png"), depth(index, camera, size))
    save_text(os.path.join(folder, "pose", f"{index}.txt"), pose(index))
  for name, matrix in (("color", CAMERA), ("depth", camera)):
    whole = np.eye(4)
    whole[:3, :3] = matrix
    save_text(os.path.join(folder, "intrinsic", f"intrinsic_{name}.txt"), whole)
  return folder


def tum(folder, count=10):
  """Depth is 8 ms late, poses come at 5 times the rate."""
  lists = {"rgb": ["# time file"], "depth": [], "groundtruth": ["# time tx ty tz qx qy qz qw"]}
  for index in range(count):
    time = 100 + index / 30
    lists["rgb"].append(f"{time:.6f} rgb/{time:.6f}.png")
    lists["depth"].append(f"{time + 0.008:.6f} depth/{time + 0.008:.6f}.png")
    save(os.path.join(folder, "rgb", f"{time:.6f}.png"), color(index))
    save_depth(os.path.join(folder, "depth", f"{time + 0.008:.6f}.png"), depth(index), 5000.0)
  for index in range(5 * count):
    x = index / 5 * STEP
    lists["groundtruth"].append(f"{100 + index / 150:.6f} {x} 0 0 0 0 0 1")
  for name, lines in lists.items():
    with open(os.path.join(folder, f"{name}.txt"), "w", encoding="utf-8") as file:
      file.write("\n".join(lines) + "\n")
  save_text(os.path.join(folder, "intrinsics.txt"), CAMERA)
  return folder


LAYOUTS = {"seven_scenes": seven_scenes, "plain": plain, "scannet": scannet, "tum": tum}
