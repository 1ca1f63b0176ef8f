"""Samples of point clouds that an evaluation keeps for pictures, and how they lie on disk."""

import dataclasses
import os
import pathlib
import zlib
from collections.abc import Iterable, Mapping

import numpy as np

from tf_taskology.datasets import element, point_observation
from tf_taskology.geometry import anchors as anchors_lib

MAX_POINTS = 16000  # of a sweep: more make the report large and show no more
MAX_FRAMES = 6
_FLOW = "box_flow"
_BOXES, _SCORES, _COUNT = "boxes", "scores", "num_boxes"


@dataclasses.dataclass(frozen=True)
class Curve:
  """Precision over recall of one run.

  Attributes:
    name: what was measured, e.g. "3D, vehicles".
    recalls: [n] in 0..1.
    precisions: [n] in 0..1.
    ap: average precision, 0..1.
  """

  name: str
  recalls: np.ndarray
  precisions: np.ndarray
  ap: float


@dataclasses.dataclass(frozen=True)
class SweepSample:
  """One sample for a picture, all sweeps in the frame of reference of the first.

  Attributes:
    sample_id: the sample's name in its data set.
    points: of each sweep [n, 3] float16, metres.
    true_boxes: of each sweep [m, 7] float32; empty where there are no labels.
    true_tracks: of each sweep [m] int32; 0 where unknown.
    true_points: of each sweep [m] int32, points inside.
    boxes: of each sweep [k, 7] float32, what a detector answered; empty without one.
    scores: of each sweep [k] float32, best first.
    flow: [k of the first sweep, frames - 1, 3] float32: how each of its boxes moves to each later sweep, x, y in
      metres and radians; None without box flow.
  """

  sample_id: str
  points: tuple[np.ndarray, ...]
  true_boxes: tuple[np.ndarray, ...]
  true_tracks: tuple[np.ndarray, ...]
  true_points: tuple[np.ndarray, ...]
  boxes: tuple[np.ndarray, ...]
  scores: tuple[np.ndarray, ...]
  flow: np.ndarray | None = None

  @property
  def num_frames(self) -> int:
    return len(self.points)


def from_batch(
  batch: Mapping, predictions: Mapping, i: int, anchors: anchors_lib.Anchors | None = None
) -> SweepSample:
  """Sample `i` of a batch.

  Args:
    batch: elements of point clouds with a batch axis in front.
    predictions: name -> [batch, frames, ...]: boxes, scores, num_boxes of a detector and box_flow, where they are.
    i: index in the batch.
    anchors: of box_flow; None: flow is not kept.
  """
  frames = min(batch[point_observation.POINTS].shape[1], MAX_FRAMES)
  name = np.asarray(batch[element.SAMPLE_ID][i]).item().decode()
  counts = np.asarray(batch[point_observation.NUM_POINTS][i])
  clouds = np.asarray(batch[point_observation.POINTS][i])
  points = [_thinned(clouds[f, : counts[f], :3], f"{name}/{f}") for f in range(frames)]
  boxes, scores = [np.zeros((0, 7), np.float32)] * frames, [np.zeros(0, np.float32)] * frames
  if {_BOXES, _SCORES, _COUNT} <= set(predictions):
    found = np.asarray(predictions[_COUNT][i], int)
    boxes = [np.asarray(predictions[_BOXES][i, f, : found[f]], np.float32) for f in range(frames)]
    scores = [np.asarray(predictions[_SCORES][i, f, : found[f]], np.float32) for f in range(frames)]
  flow = None
  if anchors is not None and _FLOW in predictions and frames > 1:
    flow = flow_of(boxes[0], np.asarray(predictions[_FLOW][i, 0]), anchors)[:, : frames - 1]
  true_boxes, tracks, inside = _truth(batch.get(element.LABELS, {}), i, frames)
  return SweepSample(
    sample_id=name,
    points=tuple(points),
    true_boxes=tuple(true_boxes),
    true_tracks=tuple(tracks),
    true_points=tuple(inside),
    boxes=tuple(boxes),
    scores=tuple(scores),
    flow=flow,
  )


def flow_of(boxes: np.ndarray, flow: np.ndarray, anchors: anchors_lib.Anchors) -> np.ndarray:
  """The flow of boxes: that of the anchor of their cell whose heading is nearest.

  Args:
    boxes: [k, 7].
    flow: [rows, columns, per_cell * (frames - 1) * 3], or without per_cell, as `box_flow.BoxFlow` has it.
    anchors: of the flow.

  Returns:
    [k, frames - 1, 3] float32; NaN for boxes outside of the grid.
  """
  rows, columns, per_cell = anchors.shape
  grid = anchors.grid
  column = np.floor((boxes[:, 0] - grid.x_range[0]) / grid.cell).astype(int)
  row = np.floor((boxes[:, 1] - grid.y_range[0]) / grid.cell).astype(int)
  inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
  row, column = np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)
  channels = flow.shape[-1]
  each = per_cell if channels % (3 * per_cell) == 0 else 1
  at = flow[row, column].reshape(len(boxes), each, channels // (3 * each), 3)
  # Anchors know no front: headings half a turn apart are the same.
  off = np.abs(np.sin(boxes[:, 6:] - anchors.kinds[np.newaxis, :each, 3]))
  chosen = at[np.arange(len(boxes)), np.argmin(off, axis=-1)].astype(np.float32)
  return np.where(inside[:, np.newaxis, np.newaxis], chosen, np.float32(np.nan))


def _truth(labels, i, frames):
  """Boxes, tracks and points inside of each sweep, without padding and what does not matter."""
  none = np.zeros(0, np.int32)
  if point_observation.BOXES not in labels:
    return [np.zeros((0, 7), np.float32)] * frames, [none] * frames, [none] * frames
  classes = np.asarray(labels[point_observation.CLASSES][i])
  result = ([], [], [])
  for f in range(frames):
    there = classes[f] > 0
    count = int(np.sum(there))
    for kept, name in zip(
      result,
      (point_observation.BOXES, point_observation.TRACKS, point_observation.BOX_POINTS),
      strict=True,
    ):
      known = name in labels
      kept.append(np.asarray(labels[name][i, f])[there] if known else np.zeros(count, np.int32))
  return result


def _thinned(points, name):
  if len(points) > MAX_POINTS:
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    points = points[np.sort(generator.permutation(len(points))[:MAX_POINTS])]
  return points.astype(np.float16)


_LISTS = ("points", "true_boxes", "true_tracks", "true_points", "boxes", "scores")


def write(file, samples: Iterable[SweepSample], curves: Iterable[Curve]):
  """Writes samples and curves into an open file."""
  arrays = {}
  for i, sample in enumerate(samples):
    arrays[f"sample/{i}/sample_id"] = np.array(sample.sample_id)
    for name in _LISTS:
      for frame, array in enumerate(getattr(sample, name)):
        arrays[f"sample/{i}/{name}/{frame}"] = array
    if sample.flow is not None:
      arrays[f"sample/{i}/flow"] = sample.flow
  for i, curve in enumerate(curves):
    for field in dataclasses.fields(curve):
      arrays[f"curve/{i}/{field.name}"] = np.array(getattr(curve, field.name))
  np.savez_compressed(file, **arrays)


def read(path: str | os.PathLike) -> tuple[tuple[SweepSample, ...], tuple[Curve, ...]]:
  """What `write` wrote; nothing if there is no such file."""
  if not pathlib.Path(path).exists():
    return (), ()
  found: dict[str, dict[int, dict]] = {"sample": {}, "curve": {}}
  with np.load(path) as arrays:
    for key in arrays.files:
      kind, index, name, *frame = key.split("/")
      fields = found[kind].setdefault(int(index), {})
      if frame:
        fields.setdefault(name, {})[int(frame[0])] = arrays[key]
      else:
        fields[name] = arrays[key]
  return (
    tuple(_sample(found["sample"][i]) for i in sorted(found["sample"])),
    tuple(_curve(found["curve"][i]) for i in sorted(found["curve"])),
  )


def _sample(fields):
  lists = {name: tuple(fields[name][f] for f in sorted(fields[name])) for name in _LISTS}
  return SweepSample(str(fields["sample_id"]), **lists, flow=fields.get("flow"))


def _curve(fields):
  return Curve(str(fields["name"]), fields["recalls"], fields["precisions"], float(fields["ap"]))
