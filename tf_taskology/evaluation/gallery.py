"""The same samples as several runs see them: truth in the first row, a row of predictions and errors for each run."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tf_taskology.evaluation import evaluation, pictures, samples as samples_lib
from tf_taskology.tasks import road_classes

TRUTH = "truth"


@dataclasses.dataclass(frozen=True)
class Gallery:
  """One sample. `rows` have as many tiles as there are `columns`; the first row is the image and the truth."""

  sample_id: str
  columns: tuple[str, ...]
  rows: tuple[tuple[pictures.Tile, ...], ...]

  def picture(self, tile_width: int = 200) -> np.ndarray:
    """The gallery in one picture, [height, width, 3] uint8."""
    return pictures.grid(self.columns, self.rows, tile_width)


def galleries(evaluations: Mapping[str, evaluation.Evaluation]) -> list[Gallery]:
  """A gallery for every sample that all runs kept, but for videos (`video_gallery`).

  Args:
    evaluations: run name -> its evaluation on one data set, with samples.
  """
  by_id = {name: {s.sample_id: s for s in e.samples} for name, e in evaluations.items()}
  first = next(iter(by_id.values()))
  shared = [i for i in first if all(i in samples for samples in by_id.values())]
  return [
    _gallery(i, {name: samples[i] for name, samples in by_id.items()})
    for i in shared
    if not any(samples[i].video for samples in by_id.values())
  ]


def _gallery(sample_id: str, samples: Mapping[str, samples_lib.Sample]) -> Gallery:
  first = next(iter(samples.values()))
  columns, truth = ["image"], [pictures.Tile(first.image, "/".join(sample_id.split("/")[-2:]))]
  rows = {name: [pictures.Tile(None, name)] for name in samples}
  for draw in (_depth, _normals, _normals_from_depth, _segmentation):
    names, truth_tiles, tiles = draw(samples)
    columns += names
    truth += truth_tiles
    for name, row in tiles.items():
      rows[name] += row
  return Gallery(sample_id, tuple(columns), (tuple(truth), *(tuple(row) for row in rows.values())))


def _depth(samples):
  if not _have(samples, "depth"):
    return (), (), {}
  truth = next(iter(samples.values())).labels["depth"]
  near, far = pictures.depth_range(truth)
  tiles = {}
  for name, sample in samples.items():
    depth = sample.predictions["depth"]
    error = pictures.relative_error(truth, depth)
    tiles[name] = [
      pictures.Tile(pictures.colorize_depth(depth, near, far)),
      pictures.Tile(
        pictures.colorize_error(error, pictures.MAX_RELATIVE_ERROR), f"abs rel {_mean(error):.3f}"
      ),
    ]
  truth_tiles = [
    pictures.Tile(pictures.colorize_depth(truth, near, far), f"truth, {near:.1f} to {far:.1f} m"),
    pictures.legend(
      pictures.ERROR_COLORS, f"0 to {100 * pictures.MAX_RELATIVE_ERROR:.0f}% of the depth"
    ),
  ]
  return ("depth", "depth error"), truth_tiles, tiles


def _normals(samples):
  if not _have(samples, "normals"):
    return (), (), {}
  truth = next(iter(samples.values())).labels["normals"]
  tiles = {name: _normals_tiles(truth, s.predictions["normals"]) for name, s in samples.items()}
  truth_tiles = [
    pictures.Tile(pictures.normals_to_rgb(truth), TRUTH),
    pictures.legend(pictures.ERROR_COLORS, f"0 to {pictures.MAX_ANGLE:.0f}°"),
  ]
  return ("normals", "normals error"), truth_tiles, tiles


def _normals_from_depth(samples):
  """What the depth prediction says of normals; its error needs labels of normals."""
  if not _have(samples, "depth"):
    return (), (), {}
  first = next(iter(samples.values()))
  columns = ["normals from depth"]
  truth_tiles = [
    pictures.Tile(pictures.normals_to_rgb(_from_depth(first, first.labels)), "of the true depth")
  ]
  tiles = {}
  truth = first.labels.get("normals")
  for name, sample in samples.items():
    normals = _from_depth(sample, sample.predictions)
    tiles[name] = [pictures.Tile(pictures.normals_to_rgb(normals))]
    if truth is not None:
      tiles[name] = _normals_tiles(truth, normals)
  if truth is not None:
    columns.append("their error")
    truth_tiles.append(pictures.legend(pictures.ERROR_COLORS, f"0 to {pictures.MAX_ANGLE:.0f}°"))
  return columns, truth_tiles, tiles


def _segmentation(samples):
  if not _have(samples, samples_lib.SEGMENTATION):
    return (), (), {}
  truth = next(iter(samples.values())).labels[samples_lib.SEGMENTATION].astype(np.uint8)
  known = truth[..., 0] != road_classes.VOID
  tiles = {}
  for name, sample in samples.items():
    numbers = sample.predictions[samples_lib.SEGMENTATION]
    wrong = np.where(known, (numbers != truth)[..., 0].astype(np.float64), np.nan)
    tiles[name] = [
      pictures.Tile(pictures.colorize_classes(numbers)),
      pictures.Tile(pictures.colorize_error(wrong, 1.0), f"{100 * _mean(wrong):.1f}% wrong"),
    ]
  truth_tiles = [
    pictures.Tile(pictures.colorize_classes(truth), TRUTH),
    pictures.legend(pictures.ERROR_COLORS, "right or wrong"),
  ]
  return ("segmentation", "wrong classes"), truth_tiles, tiles


def _normals_tiles(truth, normals):
  error = pictures.angle_error(truth, normals)
  return [
    pictures.Tile(pictures.normals_to_rgb(normals)),
    pictures.Tile(pictures.colorize_error(error, pictures.MAX_ANGLE), f"mean {_mean(error):.1f}°"),
  ]


def _from_depth(sample, values):
  return pictures.normals_from_depth(values["depth"], sample.intrinsics)


def _mean(error: np.ndarray) -> float:
  known = error[np.isfinite(error)]
  return float(known.mean()) if known.size else float("nan")


def _have(samples: Mapping[str, samples_lib.Sample], output: str) -> bool:
  return all(output in s.labels and output in s.predictions for s in samples.values())
