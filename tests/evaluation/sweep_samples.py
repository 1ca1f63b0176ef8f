"""Evaluations of point clouds with vehicles at known places, for tests of what is drawn of them."""

import numpy as np

from tf_taskology.evaluation import box_samples, evaluation
from tf_taskology.geometry import anchors, bev_grid

ANCHORS = anchors.Anchors(bev_grid.BevGrid((-20.0, 20.0), (-20.0, 20.0), (-1.0, 3.0), 1.0))
STEP = (3.0, 0.0)  # metres a sweep of the vehicle that moves


def truth(frame):
  """[2, 7]: track 1 drives ahead from (-5, 8), track 2 is parked across at (6, -10)."""
  moving = [-5 + frame * STEP[0], 8 + frame * STEP[1], 0.8, 4.0, 2.0, 1.6, 0.0]
  return np.array([moving, [6, -10, 0.8, 4.0, 2.0, 1.6, np.pi / 2]], np.float32)


def batch(frames=3, labels=True):
  """One element of a point-cloud source, with a batch axis."""
  generator = np.random.default_rng(0)
  points = generator.uniform(-15, 15, (1, frames, 300, 4)).astype(np.float32)
  points[..., 2] = 0
  result = {
    "points": points,
    "num_points": np.full((1, frames), 250, np.int32),
    "sample_id": np.array([b"drive/000004"]),
  }
  if labels:
    boxes = np.zeros((1, frames, 4, 7), np.float32)
    boxes[0, :, :2] = [truth(f) for f in range(frames)]
    boxes[0, :, 2] = [12, 0, 0.8, 4, 2, 1.6, 0]  # withheld
    numbers = lambda *values: np.tile(np.array(values, np.int32), (1, frames, 1))
    result["labels"] = {
      "boxes": boxes,
      "classes": numbers(1, 1, -1, 0),
      "tracks": numbers(1, 2, 3, 0),
      "box_points": numbers(30, 4, 9, 0),
    }
  return result


def predictions(frames=3, found=(0, 1), wrong=0, flow=True):
  """What a detector and a box flow answer: the true boxes `found`, and boxes where nothing is."""
  boxes = np.zeros((1, frames, 8, 7), np.float32)
  scores = np.zeros((1, frames, 8), np.float32)
  count = len(found) + wrong
  for frame in range(frames):
    places = [[-12 - 3 * i, -14, 0.8, 4.0, 2.0, 1.6, 0.3] for i in range(wrong)]
    all_boxes = np.concatenate([truth(frame)[list(found)], np.reshape(places, (-1, 7))])
    boxes[0, frame, :count] = all_boxes
    scores[0, frame, :count] = np.linspace(0.95, 0.6, count)
  # A last one that nobody would show.
  boxes[:, :, count], scores[:, :, count] = [0, 0, 0.8, 4, 2, 1.6, 0], 0.1
  result = {"boxes": boxes, "scores": scores, "num_boxes": np.full((1, frames), count + 1.0)}
  if flow:
    rows, columns, per_cell = ANCHORS.shape
    cells = np.zeros((rows, columns, per_cell, frames - 1, 3), np.float32)
    # The anchors along x move as vehicle 1 does; those across stand.
    cells[:, :, 0, :, 0] = STEP[0] * np.arange(1, frames)
    result["box_flow"] = cells.reshape(1, 1, rows, columns, -1)
  return result


def sample(frames=3, labels=True, **arguments):
  return box_samples.from_batch(batch(frames, labels), predictions(frames, **arguments), 0, ANCHORS)


def evaluations(frames=3, labels=True):
  """Two runs: one misses the parked vehicle and finds one that is not there."""
  runs = {"isolated": {"found": (0,), "wrong": 1}, "together": {}}
  recalls = np.linspace(0, 1, 11)
  return {
    name: evaluation.Evaluation(
      name="drives",
      split="test",
      versions={},
      num_samples=1,
      scores={},
      sweeps=(sample(frames, labels, **arguments),),
      curves=(
        box_samples.Curve("detection: 3D", recalls, 1 - (0.5 - 0.3 * i) * recalls, 0.5 + 0.3 * i),
      ),
    )
    for i, (name, arguments) in enumerate(runs.items())
  }
