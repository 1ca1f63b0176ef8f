"""Point clouds, boxes, tracks and flow seen from above."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from tf_taskology.geometry import box_overlap

SHOWN_SCORE = 0.3  # boxes with less are not drawn
FOUND_IOU = 0.5  # seen from above, from which pictures call a box found
_PAPER = (14, 17, 22)
_GROUND, _LOW, _HIGH = (72, 86, 108), (118, 144, 182), (236, 242, 250)
_GROUND_METRES, _TALL = 0.25, 2.5  # up to where the ground goes, and where colours end
_RINGS = (38, 45, 56)
_SOFT = (150, 160, 174)
TRUE, FOUND, WRONG, MISSED, FLOW = (
  (86, 211, 100),
  (72, 166, 255),
  (255, 84, 84),
  (255, 186, 40),
  (255, 240, 120),
)
_TRACKS = (
  (72, 166, 255),
  (255, 186, 40),
  (190, 130, 255),
  (86, 211, 140),
  (255, 120, 170),
  (120, 220, 235),
)
_OVERSAMPLING = 2
_POINT = 3  # pixels of a point's side before the picture is made smaller
_MARGIN = 7.0  # metres around centres of boxes
_NEAR, _FAR, _MANY = 45.0, 80.0, 10  # metres that pictures reach with many near boxes, and else


@dataclasses.dataclass(frozen=True)
class View:
  """What part of the ground a picture shows: x goes up, y to the left.

  Attributes:
    x: (smallest, largest), metres.
    y: the same, as long as that of x or another length.
    size: pixels of the picture's longer side.
  """

  x: tuple[float, float]
  y: tuple[float, float]
  size: int = 640

  @property
  def scale(self) -> float:
    """Pixels a metre."""
    return self.size / max(self.x[1] - self.x[0], self.y[1] - self.y[0])

  @property
  def shape(self) -> tuple[int, int]:
    """(height, width) of the picture."""
    return tuple(max(1, round(self.scale * (high - low))) for low, high in (self.x, self.y))

  def pixels(self, places: np.ndarray) -> np.ndarray:
    """[..., 2 or more] metres -> [..., 2] column and row, pixels."""
    column = (self.y[1] - places[..., 1]) * self.scale
    row = (self.x[1] - places[..., 0]) * self.scale
    return np.stack([column, row], axis=-1)


def view_of(points: np.ndarray, boxes: np.ndarray, size: int = 640) -> View:
  """A view of what there is to see: nearly all points, and the boxes; of many boxes the near ones.

  Args:
    points: [n, 2 or more].
    boxes: [m, 7].
    size: see `View`.
  """
  places = np.asarray(points, np.float32)[:, :2]
  low, high = np.percentile(places, [3, 97], axis=0) if len(places) else np.zeros((2, 2))
  distance = np.abs(boxes[:, :2]).max(axis=-1) if len(boxes) else np.zeros(0)
  reach = _NEAR if np.sum(distance <= _NEAR) >= _MANY else _FAR
  near = distance <= reach
  if np.any(near):
    low = np.minimum(low, boxes[near, :2].min(axis=0) - _MARGIN)
    high = np.maximum(high, boxes[near, :2].max(axis=0) + _MARGIN)
  # The sensor is always in view.
  low = np.clip(low, -reach - _MARGIN, -0.5 * _MARGIN)
  high = np.clip(high, 0.5 * _MARGIN, reach + _MARGIN)
  # Never much narrower than long: pictures lie beside each other.
  middle, length = (low + high) / 2, np.maximum(high - low, 20.0)
  length = np.maximum(length, 0.6 * length.max())
  low, high = middle - length / 2, middle + length / 2
  return View((float(low[0]), float(high[0])), (float(low[1]), float(high[1])), size)


class Canvas:
  """A picture of one moment, drawn upon step by step; `image` gives it."""

  def __init__(self, view: View):
    self._view = dataclasses.replace(view, size=view.size * _OVERSAMPLING)
    self._size = view.shape[::-1]
    height, width = self._view.shape
    self._image = Image.new("RGB", (width, height), _PAPER)
    self._draw_rings()

  def image(self) -> np.ndarray:
    """[height, width, 3] uint8."""
    return np.asarray(self._image.resize(self._size, Image.Resampling.LANCZOS))

  def points(self, points: np.ndarray, strength: float = 1.0):
    """Points [n, 3], metres: the ground dark, what stands on it brighter with its height."""
    points = np.asarray(points, np.float32)
    points = points[np.argsort(points[:, 2])]
    column, row = np.floor(self._view.pixels(points)).astype(int).T
    share = np.clip((points[:, 2:3] - _GROUND_METRES) / (_TALL - _GROUND_METRES), 0, 1)
    colour = np.array(_LOW) + share * (np.array(_HIGH) - _LOW)
    colour = np.where(points[:, 2:3] < _GROUND_METRES, np.array(_GROUND), colour)
    colour = np.array(_PAPER) + strength * (colour - _PAPER)
    picture = np.array(self._image)
    for down in range(_POINT):
      for right in range(_POINT):
        r, c = row + down, column + right
        seen = (r >= 0) & (r < picture.shape[0]) & (c >= 0) & (c < picture.shape[1])
        picture[r[seen], c[seen]] = colour[seen]
    self._image = Image.fromarray(picture)

  def boxes(
    self,
    boxes: np.ndarray,
    colour: Sequence[int],
    width: float = 1.6,
    fill: float = 0.0,
    strength: float = 1.0,
  ):
    """Boxes [n, 7]: outlines with a mark of the front.

    Args:
      boxes: the boxes.
      colour: RGB.
      width: of lines, pixels.
      fill: how much of the colour fills them, 0..1.
      strength: of the colour, 0..1.
    """
    colour = self._dimmed(colour, strength)
    layer = Image.new("L", self._image.size, 0)
    filled = ImageDraw.Draw(layer)
    draw = ImageDraw.Draw(self._image)
    line = max(1, round(width * _OVERSAMPLING))
    for box in boxes:
      corners = [tuple(p) for p in self._view.pixels(outline(box)).tolist()]
      filled.polygon(corners, fill=255)
      draw.line([*corners, corners[0]], fill=colour, width=line, joint="curve")
      along = np.array([math.cos(box[6]), math.sin(box[6])])
      mark = np.stack([box[:2] + 0.15 * box[3] * along, box[:2] + 0.5 * box[3] * along])
      draw.line([tuple(p) for p in self._view.pixels(mark).tolist()], fill=colour, width=line)
    if fill > 0:
      flat = Image.new("RGB", self._image.size, colour)
      self._image.paste(flat, mask=layer.point(lambda value: round(value * fill)))

  def path(
    self,
    places: np.ndarray,
    colour: Sequence[int],
    width: float = 1.8,
    arrow: bool = True,
    strength: float = 1.0,
  ):
    """A line through places [n, 2 or more], metres; with an arrow's head at its end if it is long enough to see."""
    colour = self._dimmed(colour, strength)
    draw = ImageDraw.Draw(self._image)
    line = max(1, round(width * _OVERSAMPLING))
    pixels = self._view.pixels(np.asarray(places, np.float64))
    draw.line([tuple(p) for p in pixels.tolist()], fill=colour, width=line, joint="curve")
    way = pixels[-1] - pixels[0]
    length = float(np.hypot(*way))
    if not arrow or length < 3 * line:
      return
    step = pixels[-1] - pixels[-2]
    along = step / max(np.hypot(*step), 1e-9)
    head = min(4.5 * line, 0.6 * length)
    side = np.array([-along[1], along[0]]) * 0.55 * head
    tip = pixels[-1] + 0.25 * head * along
    back = tip - head * along
    draw.polygon([tuple(tip), tuple(back + side), tuple(back - side)], fill=colour)

  def dot(self, place: np.ndarray, colour: Sequence[int], radius: float = 2.2):
    """A disc at a place [2 or more], metres; the radius in pixels."""
    column, row = self._view.pixels(np.asarray(place, np.float64))
    reach = radius * _OVERSAMPLING
    ImageDraw.Draw(self._image).ellipse(
      [column - reach, row - reach, column + reach, row + reach], fill=tuple(colour)
    )

  def _draw_rings(self):
    """Circles every 10 or 20 m around the sensor, and the sensor."""
    draw = ImageDraw.Draw(self._image)
    column, row = self._view.pixels(np.zeros(2))
    longest = max(self._view.x[1] - self._view.x[0], self._view.y[1] - self._view.y[0])
    step = 10 if longest <= 70 else 20
    for metres in range(step, 200, step):
      reach = metres * self._view.scale
      draw.ellipse(
        [column - reach, row - reach, column + reach, row + reach],
        outline=_RINGS,
        width=_OVERSAMPLING,
      )
    size = 5 * _OVERSAMPLING
    draw.polygon(
      [(column, row - size), (column - 0.6 * size, row + size), (column + 0.6 * size, row + size)],
      fill=_SOFT,
    )

  def _dimmed(self, colour, strength):
    return tuple(round(p + strength * (c - p)) for p, c in zip(_PAPER, colour, strict=True))


def outline(box: np.ndarray) -> np.ndarray:
  """[4, 2] corners of a box [7] seen from above."""
  along = np.array([math.cos(box[6]), math.sin(box[6])])
  across = np.array([-along[1], along[0]])
  ends = ((0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5))
  return np.stack([box[:2] + a * box[3] * along + b * box[4] * across for a, b in ends])


def judged(
  boxes: np.ndarray, scores: np.ndarray, true_boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Which boxes are right and which true ones are found, seen from above: [k] and [m] bool.

  Best scores choose first; a true box is found once. Pictures need no more; protocols have matchings of their own.

  Args:
    boxes: [k, 7].
    scores: [k].
    true_boxes: [m, 7].
  """
  right, found = np.zeros(len(boxes), bool), np.zeros(len(true_boxes), bool)
  if not len(boxes) or not len(true_boxes):
    return right, found
  overlaps = box_overlap.pairs(
    box_overlap.bev_iou, np.asarray(boxes, np.float32), np.asarray(true_boxes, np.float32)
  ).numpy()
  for i in np.argsort(-scores, kind="stable"):
    free = np.where(found, 0, overlaps[i])
    best = int(np.argmax(free))
    if free[best] >= FOUND_IOU:
      right[i] = found[best] = True
  return right, found


def track_colour(index: int) -> tuple[int, int, int]:
  """A colour for the index-th track."""
  return _TRACKS[index % len(_TRACKS)]
