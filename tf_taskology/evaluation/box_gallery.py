"""What detectors and box flow make of point clouds, beside the truth, for every run."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

from tf_taskology.evaluation import box_pictures, box_samples, evaluation, gallery, pictures

COLUMNS = ("", "first sweep", "all sweeps, in the frame of the first")
_LEAST_MOTION = 0.5  # metres from the first sweep to the last of a vehicle that moves
_LEAST_ARROW = 0.3


def galleries(
  evaluations: Mapping[str, evaluation.Evaluation], size: int = 640
) -> list[gallery.Gallery]:
  """A gallery for every sample of point clouds that all runs kept: the truth, then a row for each run.

  Args:
    evaluations: run name -> its evaluation on one data set.
    size: pixels of a picture's longer side.
  """
  by_id = {name: {s.sample_id: s for s in e.sweeps} for name, e in evaluations.items()}
  first = next(iter(by_id.values()))
  shared = [i for i in first if all(i in samples for samples in by_id.values())]
  return [_gallery(i, {name: by_id[name][i] for name in by_id}, size) for i in shared]


def picture(shown: gallery.Gallery) -> np.ndarray:
  """A gallery in one picture on white, [height, width, 3] uint8: for each row a heading, tiles and what they show."""
  line, gap = 20, 10
  tiles = [[tile.image for tile in row[1:]] for row in shown.rows]
  height, width = tiles[0][0].shape[:2]
  step = height + 2 * line + 2 * gap
  size = (len(tiles[0]) * (width + gap) + gap, len(tiles) * step + gap)
  canvas = Image.new("RGB", size, (255, 255, 255))
  draw = ImageDraw.Draw(canvas)
  bold, plain = pictures.font(line - 4, bold=True), pictures.font(line - 7)
  for r, row in enumerate(shown.rows):
    top = gap + r * step
    draw.text((gap, top), row[0].caption, (28, 32, 38), bold)
    for c, tile in enumerate(row[1:]):
      left = gap + c * (width + gap)
      canvas.paste(Image.fromarray(tile.image), (left, top + line + gap // 2))
      text = f"{shown.columns[c + 1]}: {tile.caption}"
      draw.text((left, top + line + height + gap), text, (80, 88, 98), plain)
  return np.asarray(canvas)


def _gallery(sample_id, samples, size):
  first = next(iter(samples.values()))
  true = [b[p > 0] for b, p in zip(first.true_boxes, first.true_points, strict=True)]
  boxes = true if any(map(len, true)) else [s.boxes[0] for s in map(_shown, samples.values())]
  view = box_pictures.view_of(first.points[0], np.concatenate(boxes), size)
  rows = []
  short = "/".join(sample_id.split("/")[-2:])
  if any(len(array) for array in first.true_boxes):
    rows.append((pictures.Tile(None, f"truth, {short}"), *_truth(first, view)))
  for name, sample in samples.items():
    head = name if rows else f"{name}, {short}"
    rows.append((pictures.Tile(None, head), *_predicted(_shown(sample), view)))
  columns = COLUMNS if first.num_frames > 1 else COLUMNS[:2]
  return gallery.Gallery(sample_id, columns, tuple(row[: len(columns)] for row in rows))


def _shown(sample: box_samples.SweepSample) -> box_samples.SweepSample:
  """Without boxes of low scores."""
  kept = [scores >= box_pictures.SHOWN_SCORE for scores in sample.scores]
  return dataclasses.replace(
    sample,
    boxes=tuple(b[k] for b, k in zip(sample.boxes, kept, strict=True)),
    scores=tuple(s[k] for s, k in zip(sample.scores, kept, strict=True)),
    flow=None if sample.flow is None else sample.flow[kept[0]],
  )


def _truth(sample, view):
  now = box_pictures.Canvas(view)
  now.points(sample.points[0])
  inside = sample.true_points[0]
  seen = inside > 0
  now.boxes(sample.true_boxes[0][~seen], box_pictures.TRUE, strength=0.4, width=1.0)
  now.boxes(sample.true_boxes[0][seen], box_pictures.TRUE, fill=0.18)
  hidden = int(np.sum(~seen))
  caption = f"{int(np.sum(seen))} vehicles" + (f", {hidden} without points" if hidden else "")
  over_time = box_pictures.Canvas(view)
  _all_points(over_time, sample)
  moving = _draw_tracks(over_time, sample)
  return (
    pictures.Tile(now.image(), caption),
    pictures.Tile(over_time.image(), f"{moving} move, {len(sample.points)} sweeps"),
  )


def _all_points(canvas, sample):
  for points in sample.points[:0:-1]:
    canvas.points(points, strength=0.45)
  canvas.points(sample.points[0], strength=0.8)


def _draw_tracks(canvas, sample) -> int:
  """Boxes of all sweeps that belong together in one colour, brighter with time; how many move."""
  moving = 0
  for i, track in enumerate(np.unique(np.concatenate(sample.true_tracks))):
    places = [
      boxes[tracks == track][:1]
      for boxes, tracks in zip(sample.true_boxes, sample.true_tracks, strict=True)
    ]
    there = np.concatenate(places)
    if track == 0 or not len(there):
      continue
    travelled = np.hypot(*(there[-1, :2] - there[0, :2]))
    if travelled < _LEAST_MOTION:
      canvas.boxes(there[:1], box_pictures.TRUE, width=1.0, strength=0.5)
      continue
    moving += 1
    colour = box_pictures.track_colour(i)
    for step, box in enumerate(there):
      canvas.boxes(box[np.newaxis], colour, strength=(0.45 + 0.55 * (step + 1) / len(there)))
    canvas.path(there, colour)
  return moving


def _predicted(sample, view):
  right, found = box_pictures.judged(sample.boxes[0], sample.scores[0], sample.true_boxes[0])
  labelled = any(len(array) for array in sample.true_boxes)
  now = box_pictures.Canvas(view)
  now.points(sample.points[0])
  missed = ~found & (sample.true_points[0] > 0)
  now.boxes(sample.true_boxes[0][missed], box_pictures.MISSED, fill=0.35)
  now.boxes(sample.true_boxes[0][found], box_pictures.TRUE, width=0.9, strength=0.8)
  wrong = ~right if labelled else np.zeros(len(right), bool)
  now.boxes(sample.boxes[0][~wrong], box_pictures.FOUND)
  now.boxes(sample.boxes[0][wrong], box_pictures.WRONG)
  parts = [
    f"{int(np.sum(right))} found",
    f"{int(np.sum(missed))} missed",
    f"{int(np.sum(wrong))} wrong",
  ]
  caption = ", ".join(parts) if labelled else f"{len(right)} found"
  over_time = box_pictures.Canvas(view)
  _all_points(over_time, sample)
  last = sample.num_frames - 1
  for frame, boxes in enumerate(sample.boxes):
    over_time.boxes(
      boxes,
      box_pictures.FOUND,
      width=1.0 if frame else 1.6,
      strength=1.0 - 0.55 * frame / max(last, 1),
    )
  text = _draw_flow(over_time, sample)
  return pictures.Tile(now.image(), caption), pictures.Tile(over_time.image(), text)


def _draw_flow(canvas, sample) -> str:
  if sample.flow is None:
    return "boxes of each sweep; no box flow"
  arrows = 0
  for box, flow in zip(sample.boxes[0], sample.flow, strict=True):
    if not np.all(np.isfinite(flow)):
      continue
    path = np.concatenate([box[np.newaxis, :2], box[:2] + flow[:, :2]])
    if np.hypot(*(path[-1] - path[0])) >= _LEAST_ARROW:
      arrows += 1
      canvas.path(path, box_pictures.FLOW)
  return f"boxes of each sweep, {arrows} move by their flow"
