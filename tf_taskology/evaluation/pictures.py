"""Pictures of predictions: depth, normals and errors in colour, and grids of them."""

import dataclasses
import functools
import io
import os
from collections.abc import Sequence

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib import colors
from PIL import Image, ImageDraw, ImageFont

from tf_taskology.evaluation import normals_protocol
from tf_taskology.geometry import surface_normals
from tf_taskology.tasks import road_classes

DEPTH_COLORS = "Spectral"
ERROR_COLORS = "inferno"
MAX_RELATIVE_ERROR = 0.5
MAX_ANGLE = 60.0
_MISSING = (128, 128, 128)
_INK, _SOFT_INK, _PAPER = (28, 32, 38), (105, 112, 122), (255, 255, 255)


@dataclasses.dataclass(frozen=True)
class Tile:
  """One picture of a grid.

  Attributes:
    image: [height, width, 3] uint8; None for an empty place. A legend is a bar of one pixel's height.
    caption: a few words or numbers below it; for a place without image, lines of text in it.
  """

  image: np.ndarray | None
  caption: str = ""


def depth_range(truth: np.ndarray) -> tuple[float, float]:
  """The depths, in metres, that the ends of the colour scale stand for: 2nd and 98th percentile of what is labelled."""
  known = truth[truth > 0]
  if not known.size:
    return 0.0, 1.0
  near, far = np.percentile(known, [2, 98])
  return float(near), float(max(far, near + 1e-3))


def colorize_depth(depth: np.ndarray, near: float, far: float) -> np.ndarray:
  """[height, width, 1] metres -> [height, width, 3] uint8; red is near, blue is far, grey is missing.

  Truth and predictions that are to be compared must be given one range.
  """
  values = (depth[..., 0] - near) / (far - near)
  return _colorize(values, DEPTH_COLORS, depth[..., 0] > 0)


def normals_to_rgb(normals: np.ndarray) -> np.ndarray:
  """[height, width, 3] -> uint8: red grows to the right, green upwards, blue towards the camera; grey is missing."""
  known = np.any(normals != 0, axis=-1, keepdims=True)
  length = np.linalg.norm(normals, axis=-1, keepdims=True)
  rgb = 0.5 + 0.5 * normals / np.where(known, length, 1) * np.array([1, -1, -1])
  return np.where(known, np.round(255 * rgb), _MISSING).astype(np.uint8)


def normals_from_depth(depth: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
  """Normals of the surface that depth [height, width, 1] shows, [height, width, 3]; 0 where there are none."""
  normals, _ = surface_normals.depth_to_normals(
    tf.constant(depth, tf.float32), tf.constant(intrinsics, tf.float32)
  )
  return normals.numpy()


def colorize_classes(numbers: np.ndarray) -> np.ndarray:
  """Class numbers [height, width, 1] -> uint8: the colours of `tasks.road_classes`; grey is missing (255)."""
  return class_colors()[numbers[..., 0]]


@functools.lru_cache
def class_colors() -> np.ndarray:
  """[256, 3] uint8: a colour for each class number; beyond the road classes, hues that lie apart."""
  hues = np.arange(256) * 0.618034 % 1
  levels = np.stack([np.full(256, 0.75), 0.6 + 0.35 * (np.arange(256) % 2)], axis=-1)
  table = colors.hsv_to_rgb(np.concatenate([hues[:, np.newaxis], levels], axis=-1))
  table = np.round(255 * table).astype(np.uint8)
  table[: road_classes.NUM_CLASSES] = road_classes.colours()[: road_classes.NUM_CLASSES]
  table[road_classes.VOID] = _MISSING
  return table


def colorize_motion(field: np.ndarray, limit: float) -> np.ndarray:
  """Motion [height, width, 3] in camera axes -> uint8; grey is unknown (NaN).

  The hue is the direction seen from above: red away from the camera, green to the right, cyan towards it, violet to the
  left. Black stands still, full brightness is `limit` (metres) or more.
  """
  known = np.all(np.isfinite(field), axis=-1)
  x, y, z = np.moveaxis(np.where(known[..., np.newaxis], field, 0).astype(np.float64), -1, 0)
  hue = np.arctan2(x, z) / (2 * np.pi) % 1
  value = np.clip(np.sqrt(x * x + y * y + z * z) / limit, 0, 1)
  rgb = np.round(255 * colors.hsv_to_rgb(np.stack([hue, np.full_like(hue, 0.85), value], -1)))
  return np.where(known[..., np.newaxis], rgb, _MISSING).astype(np.uint8)


def relative_error(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
  """|prediction - truth| / truth, [height, width]; NaN where truth is missing."""
  known = truth[..., 0] > 0
  error = np.abs(prediction - truth)[..., 0] / np.where(known, truth[..., 0], 1)
  return np.where(known, error, np.nan)


def angle_error(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
  """Degrees between normals, [height, width]; NaN where one of them is missing."""
  known = np.any(truth != 0, axis=-1) & np.any(prediction != 0, axis=-1)
  angle = normals_protocol.angles(truth.astype(np.float64), prediction.astype(np.float64))
  return np.where(known, angle, np.nan)


def colorize_error(error: np.ndarray, limit: float) -> np.ndarray:
  """[height, width] -> uint8: black is right, bright yellow is `limit` or more, grey is unknown (NaN)."""
  return _colorize(error / limit, ERROR_COLORS, np.isfinite(error))


def legend(scale: str, caption: str) -> Tile:
  """A bar with a colour scale."""
  values = np.linspace(0, 1, 128)[np.newaxis]
  return Tile(_colorize(values, scale, np.ones_like(values, bool)), caption)


def with_scale(image: np.ndarray, scale: str, low: str, high: str) -> np.ndarray:
  """Puts a colour scale below a picture.

  Args:
    image: [height, width, 3] uint8.
    scale: its name.
    low: what its left end stands for, e.g. "0.8 m".
    high: what its right end stands for.

  Returns:
    [height + strip, width, 3] uint8; the picture's own pixels are as they were.
  """
  height, width = image.shape[:2]
  line = max(11, height // 24)
  bar = _colorize(np.linspace(0, 1, width)[np.newaxis], scale, np.ones([1, width], bool))
  canvas = Image.new("RGB", (width, height + 2 * line + line // 2), _PAPER)
  canvas.paste(Image.fromarray(image), (0, 0))
  canvas.paste(Image.fromarray(np.repeat(bar, line, axis=0)), (0, height + line // 4))
  draw, letters, y = ImageDraw.Draw(canvas), font(round(line * 0.85)), height + line + line // 4
  draw.text((2, y), low, _INK, letters)
  draw.text((width - 2, y), high, _INK, letters, anchor="ra")
  return np.asarray(canvas)


def png(image: np.ndarray) -> bytes:
  """Encodes [height, width, 3] uint8."""
  buffer = io.BytesIO()
  Image.fromarray(image).save(buffer, "png", optimize=True)
  return buffer.getvalue()


def small(image: np.ndarray) -> tuple[str, bytes]:
  """Encodes [height, width, 3] uint8 for a page: PNG if it has few colours, else JPEG. ("png" or "jpeg", bytes)."""
  picture = Image.fromarray(image)
  if picture.getcolors(maxcolors=64) is not None:
    return "png", png(image)
  buffer = io.BytesIO()
  picture.save(buffer, "jpeg", quality=85, subsampling=0, optimize=True)
  return "jpeg", buffer.getvalue()


def gif(frames: Sequence[np.ndarray], width: int = 780, millisecs: int = 150) -> bytes:
  """An animation that repeats, of [height, width, 3] uint8 frames scaled to at most `width` pixels across."""
  images = []
  for frame in frames:
    height = max(round(frame.shape[0] * min(width / frame.shape[1], 1)), 1)
    size = (min(width, frame.shape[1]), height)
    picture = Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR)
    images.append(picture.quantize(96, dither=Image.Dither.NONE))
  buffer = io.BytesIO()
  images[0].save(buffer, "gif", save_all=True, append_images=images[1:], duration=millisecs, loop=0)
  return buffer.getvalue()


def grid(
  columns: Sequence[str], rows: Sequence[Sequence[Tile]], tile_width: int = 200
) -> np.ndarray:
  """Puts tiles into one picture with headings and captions, on white.

  Args:
    columns: the headings.
    rows: tiles, as many a row as there are columns; tiles of one row have the same shape.
    tile_width: pixels.

  Returns:
    [height, width, 3] uint8.
  """
  gap, line = tile_width // 20, round(tile_width * 0.11)
  small, large = font(round(line * 0.72)), font(round(line * 0.78), bold=True)
  heights = [max(_scaled_height(t, tile_width) for t in row) for row in rows]
  width = len(columns) * (tile_width + gap) + gap
  canvas = Image.new(
    "RGB", (width, 2 * gap + line + sum(h + line + 2 * gap for h in heights)), _PAPER
  )
  draw = ImageDraw.Draw(canvas)
  for i, name in enumerate(columns):
    draw.text((gap + i * (tile_width + gap), gap), name, _INK, large)
  y = gap + line + gap
  for row, height in zip(rows, heights, strict=True):
    for i, tile in enumerate(row):
      x = gap + i * (tile_width + gap)
      if tile.image is None:
        first, *rest = tile.caption.split("\n")
        draw.text((x, y), first, _INK, large)
        draw.multiline_text(
          (x, y + 1.5 * line), "\n".join(rest), _SOFT_INK, small, spacing=line // 3
        )
        continue
      scaled = max(_scaled_height(tile, tile_width), line)
      picture = Image.fromarray(tile.image).resize((tile_width, scaled), Image.Resampling.BILINEAR)
      canvas.paste(picture, (x, y))
      draw.text((x, y + scaled + gap // 2), tile.caption, _SOFT_INK, small)
    y += height + line + 2 * gap
  return np.asarray(canvas)


def _scaled_height(tile: Tile, width: int) -> int:
  return 0 if tile.image is None else round(tile.image.shape[0] * width / tile.image.shape[1])


def _colorize(values: np.ndarray, scale: str, known: np.ndarray) -> np.ndarray:
  values = np.where(known, np.clip(values, 0, 1), 0)
  rgb = np.round(255 * matplotlib.colormaps[scale](values)[..., :3])
  return np.where(known[..., np.newaxis], rgb, _MISSING).astype(np.uint8)


@functools.lru_cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
  """A font for text in pictures, of a size in pixels."""
  # Matplotlib brings this font along; it has the degree sign and Greek letters.
  name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
  return ImageFont.truetype(os.path.join(matplotlib.get_data_path(), "fonts", "ttf", name), size)
