"""Boxes in many point clouds: reads them, asks a detector, writes tables and pictures."""

import csv
import json
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image

from tf_taskology.datasets.point_clouds import point_files
from tf_taskology.evaluation import box_pictures
from tf_taskology.prediction import image_files, model as model_lib, predictor

TABLE = "boxes.csv"
INDEX = "predictions.jsonl"
COLUMNS = (
  "file",
  "x",
  "y",
  "z",
  "length",
  "width",
  "height",
  "heading",
  "class",
  "score",
)
ANSWERS = ("boxes", "scores", "classes", "num_boxes")
_ROUNDING = 256  # points: requests of about one size need no new buffers


class Reader:
  """Reads point clouds, as the model takes them.

  Args:
    point_size: numbers of a point that the model takes.
    columns: float32 numbers of a point in .bin files.
    sensor_height: metres that are added to z: models take the ground for 0.
  """

  def __init__(self, point_size: int, columns: int = 4, sensor_height: float = 0.0):
    self._point_size, self._columns, self._height = point_size, columns, sensor_height

  def __call__(self, path: str) -> np.ndarray:
    """[points, point_size] float32; numbers that the file lacks are 0, points that are not finite are left out.

    Raises:
      ValueError: the file cannot be read as points.
    """
    if path.lower().endswith(point_files.BINARY):
      array = point_files.read_binary(path, self._columns)
    else:
      array = point_files.read_numpy(path)
    if array.ndim != 2 or array.shape[1] < 3 or not np.issubdtype(array.dtype, np.number):
      raise ValueError(
        f"Points {path!r}: expected [points, 3 or more] numbers. Received: {array.dtype} of shape {array.shape}."
      )
    points = np.zeros([len(array), self._point_size], np.float32)
    given = min(self._point_size, array.shape[1])
    points[:, :given] = array[:, :given]
    points[:, 2] += self._height
    return points[np.all(np.isfinite(points), axis=-1)]


class Writer:
  """Writes into a folder.

  `boxes.csv` has a line for each box with the columns of `COLUMNS`; `<name>.npz` the same of one sweep (boxes, scores,
  classes); `<name>.png` shows it from above; `predictions.jsonl` has a line of JSON for each sweep.

  Args:
    folder: made if need be; files of the same names are replaced.
    arrays: whether to write .npz files.
    pictures: whether to draw.

  Raises:
    OSError: the folder cannot be written.
  """

  def __init__(self, folder: str, arrays: bool = True, pictures: bool = True):
    self._folder, self._arrays, self._pictures = folder, arrays, pictures
    os.makedirs(folder, exist_ok=True)
    self._table_file = open(os.path.join(folder, TABLE), "w", encoding="utf-8", newline="")  # noqa: SIM115
    self._table = csv.writer(self._table_file)
    self._table.writerow(COLUMNS)
    self._index = open(os.path.join(folder, INDEX), "w", encoding="utf-8")  # noqa: SIM115

  def close(self):
    """Completes the tables."""
    self._table_file.close()
    self._index.close()

  def write(
    self,
    cloud: image_files.ImageFile,
    points: np.ndarray,
    found: Mapping[str, np.ndarray],
    version: int,
  ):
    """Writes one sweep's boxes.

    Args:
      cloud: the file.
      points: [points, 3 or more], as the model was shown them.
      found: boxes [n, 7], scores [n], classes [n].
      version: the one that answered.
    """
    line = {"points": cloud.path, "name": cloud.name, "version": version, "boxes": len(found["boxes"])}  # fmt: skip
    for box, score, kind in zip(found["boxes"], found["scores"], found["classes"], strict=True):
      self._table.writerow([cloud.name, *(f"{v:.4f}" for v in box), int(kind), f"{score:.4f}"])
    if self._arrays:
      line["arrays"] = self._save(f"{cloud.name}.npz", lambda path: np.savez(path, **found))
    if self._pictures:
      picture = draw(points, found["boxes"], found["scores"])
      line["picture"] = self._save(f"{cloud.name}.png", Image.fromarray(picture).save)
    self._index.write(json.dumps(line) + "\n")

  def _save(self, name, save):
    path = os.path.join(self._folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    save(path)
    return name


def draw(points: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
  """A sweep from above with the boxes that are sure enough, [height, width, 3] uint8."""
  shown = scores >= box_pictures.SHOWN_SCORE
  canvas = box_pictures.Canvas(box_pictures.view_of(points, boxes[shown]))
  canvas.points(points[:, :3])
  canvas.boxes(boxes[shown], box_pictures.FOUND)
  return canvas.image()


def check(model: model_lib.Model, signature: model_lib.Signature):
  """Raises ModelError unless the model is a detector that can be asked about single sweeps."""
  missing = sorted(set(ANSWERS) - set(signature.outputs))
  if missing:
    raise model_lib.ModelError(
      f"Signature {signature.name!r} of {model.title} lacks the outputs {missing}, which a detector has. "
      f"It has: {sorted(signature.outputs)}."
    )


def predict(
  model: model_lib.Model,
  signature: model_lib.Signature,
  clouds: Sequence[image_files.ImageFile],
  reader: Reader,
  writer: Writer,
  batch_size: int = 8,
  report: Callable[[predictor.Summary], None] = lambda summary: None,
) -> predictor.Summary:
  """Finds boxes and writes them. Files that cannot be read are noted and left out.

  Args:
    model: the model.
    signature: of point clouds.
    clouds: the files.
    reader: reads one.
    writer: where boxes go.
    batch_size: sweeps in a request.
    report: called after every batch.

  Raises:
    peer.PeerError, model.ModelError: the model cannot answer. What was written stays.
    OSError: predictions cannot be written.
  """
  summary, waiting = predictor.Summary(), []
  for number, cloud in enumerate(clouds, 1):
    try:
      waiting.append((cloud, reader(cloud.path)))
    except ValueError as error:
      summary.failures[cloud.path] = str(error)
    if waiting and (len(waiting) == batch_size or number == len(clouds)):
      version = _ask(model, signature, waiting, writer)
      summary.written += len(waiting)
      summary.versions[version] = summary.versions.get(version, 0) + len(waiting)
      waiting = []
    report(summary)
  return summary


def _ask(model, signature, waiting, writer):
  """Asks about some sweeps and writes the answers. Returns the version that answered."""
  counts = np.array([len(points) for _, points in waiting], np.int32)
  most = -(-max(1, counts.max()) // _ROUNDING) * _ROUNDING
  padded = np.zeros([len(waiting), most, waiting[0][1].shape[1]], np.float32)
  for row, (_, points) in zip(padded, waiting, strict=True):
    row[: len(points)] = points
  answer = model.predict(signature, {"points": padded, "num_points": counts})
  for i, (cloud, points) in enumerate(waiting):
    count = int(answer.outputs["num_boxes"][i])
    found = {name: answer.outputs[name][i, :count] for name in ANSWERS[:3]}
    writer.write(cloud, points, found, answer.version)
  return answer.version
