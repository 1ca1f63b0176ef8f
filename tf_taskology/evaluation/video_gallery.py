"""What runs make of two frames of a video: warp, photometric error, depth, segmentation and objects' motion."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tf_taskology.evaluation import evaluation, gallery, pictures, samples as samples_lib
from tf_taskology.geometry import motion_warp, rotations
from tf_taskology.tasks import motion, road_classes

MAX_PHOTOMETRIC = 0.25
_OCCLUSION = (
  0.05  # share of its depth by which a point must lie behind what is seen there to count as hidden
)
_LEAST_MOTION = 0.3  # metres; what full brightness stands for at least
_TINY = 1e-3


def galleries(evaluations: Mapping[str, evaluation.Evaluation]) -> list[gallery.Gallery]:
  """A gallery for every sample that all runs kept and of which one kept a video: the truth, then a row for each run.

  Depth and motion learnt without metres are scaled for colours by the ratio of medians of true and predicted depth.

  Args:
    evaluations: run name -> its evaluation on one data set, with samples.
  """
  return [_gallery(*shared) for shared in _shared(evaluations)]


def gifs(evaluations: Mapping[str, evaluation.Evaluation]) -> list[tuple[str, bytes]]:
  """For each gallery the last run with a video and its animation: frames, beside them depth and segmentation."""
  result = []
  for _, samples in _shared(evaluations):
    name = [name for name, sample in samples.items() if sample.video][-1]
    result.append((name, _gif(samples[name])))
  return result


def _shared(evaluations):
  by_id = {name: {s.sample_id: s for s in e.samples} for name, e in evaluations.items()}
  result = []
  for i in next(iter(by_id.values())):
    if all(i in samples for samples in by_id.values()):
      samples = {name: samples[i] for name, samples in by_id.items()}
      if any(s.video for s in samples.values()):
        result.append((i, samples))
  return result


def _gallery(sample_id: str, samples: Mapping[str, samples_lib.Sample]) -> gallery.Gallery:
  first = next(s for s in samples.values() if s.video)
  truth = first.video.labels
  drawn = {"": _row(first, truth, _true_motion(first.video), truth)}
  for name, sample in samples.items():
    if sample.video:
      drawn[name] = _row(sample, sample.video.predictions, _predicted_motion(sample.video), truth)
    else:
      alone = {output: array[np.newaxis] for output, array in sample.predictions.items()}
      drawn[name] = _row(sample, alone, None, truth)
  columns = list(dict.fromkeys(column for row in drawn.values() for column in row))
  rows = []
  for name, row in drawn.items():
    head = pictures.Tile(None, name)
    if not name:
      head = pictures.Tile(first.image, "/".join(sample_id.split("/")[-2:]))
    rows.append((head, *(row.get(column, pictures.Tile(None)) for column in columns)))
  return gallery.Gallery(sample_id, ("frame", *columns), tuple(rows))


def _row(sample, values, pair, truth) -> dict[str, pictures.Tile]:
  """The tiles of the truth or of one run, by column."""
  true_depth = truth["depth"][0].astype(np.float32) if "depth" in truth else None
  tiles, scale = {}, 1.0
  if "depth" in values:
    depths = values["depth"].astype(np.float32)
    if true_depth is not None:
      scale = _median_scale(true_depth, depths[0])
    if pair is not None:
      camera = None if values is truth else values.get(motion.CAMERA)
      tiles.update(_warp_tiles(sample, _intrinsics(sample, camera), depths, *pair))
    tiles["depth"] = _depth_tile(depths[0], true_depth, scale, values is truth)
  if samples_lib.SEGMENTATION in values:
    numbers = values[samples_lib.SEGMENTATION][0].astype(np.uint8)
    caption = "" if values is truth else _agreement(numbers, truth)
    tiles["segmentation"] = pictures.Tile(pictures.colorize_classes(numbers), caption)
  field = values.get("object_motion", values.get(motion.MOTION_FIELD))
  if field is not None:
    field = scale * field[0].astype(np.float32)
    limit = max(_LEAST_MOTION, _longest(truth.get("object_motion")))
    caption = f"bright: {limit:.1f} m" if values is truth else _longest_caption(field)
    tiles["object motion"] = pictures.Tile(pictures.colorize_motion(field, limit), caption)
  return tiles


def _warp_tiles(sample, intrinsics, depths, rotation, translation) -> dict[str, pictures.Tile]:
  other = sample.video.images[1]
  warped, error = warp(sample.image, other, intrinsics, depths[:2], rotation, translation)
  seen = np.isfinite(error)
  plain = np.abs(sample.image.astype(np.float32) - other).mean(axis=-1)[seen] / 255
  caption = f"mean {_mean(error):.3f}, was {plain.mean():.3f}" if seen.any() else "nothing in view"
  return {
    "warped next frame": pictures.Tile(warped, f"{100 * seen.mean():.0f}% seen"),
    "photometric error": pictures.Tile(pictures.colorize_error(error, MAX_PHOTOMETRIC), caption),
  }


def warp(
  image: np.ndarray,
  other: np.ndarray,
  intrinsics: np.ndarray,
  depths: np.ndarray,
  rotation: np.ndarray,
  translation: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
  """Samples another frame where the pixels of `image` are seen in it.

  Args:
    image: [height, width, 3] uint8.
    other: the same.
    intrinsics: [3, 3], pixels.
    depths: [1 or 2, height, width, 1] metres: of `image`, and of `other` to tell what is hidden.
    rotation: [3, 3], camera of `image` to that of `other`.
    translation: [height or 1, width or 1, 3] metres, of camera and objects.

  Returns:
    [height, width, 3] uint8, and the mean absolute difference of colours [height, width] in 0..1, NaN where a pixel is
    hidden or out of view; there the picture is grey too.
  """
  batch = [
    np.asarray(a, np.float32)[np.newaxis] for a in (depths[0, ..., 0], rotation, translation)
  ]
  moved = motion_warp.move(*map(tf.constant, batch), tf.constant(intrinsics[None], tf.float32))
  stack = other.astype(np.float32)
  if len(depths) > 1:
    depth = depths[1].astype(np.float32)
    stack = np.concatenate([stack, depth, depth > 0], axis=-1)
  seen = motion_warp.sample(tf.constant(stack[None]), moved.x, moved.y).numpy()[0]
  visible = moved.visible.numpy()[0]
  if len(depths) > 1:
    # Where the other frame has no depth (0) nothing is known to hide the point.
    unknown = seen[4] < 0.999
    visible &= unknown | (moved.depth.numpy()[0] <= (1 + _OCCLUSION) * seen[3])
  colors = np.moveaxis(seen[:3], 0, -1)
  error = np.abs(colors - image).mean(axis=-1) / 255
  picture = np.where(visible[..., np.newaxis], np.round(colors), 128).astype(np.uint8)
  return picture, np.where(visible, error, np.nan)


def _true_motion(video):
  """Rotation and translation [h, w, 3] of the first pair; None if they are not known."""
  if video.pose is None or len(video.pose) < 2:
    return None
  transform = np.linalg.inv(video.pose[1].astype(np.float64)) @ video.pose[0]
  shift = transform[np.newaxis, np.newaxis, :3, 3]
  if "object_motion" in video.labels:
    shift = shift + np.nan_to_num(video.labels["object_motion"][0])
  return transform[:3, :3], shift


def _predicted_motion(video):
  if motion.ROTATION not in video.predictions or len(video.images) < 2:
    return None
  angles = video.predictions[motion.ROTATION][0, 0, 0]
  shift = video.predictions[motion.TRANSLATION][0]
  if motion.MOTION_FIELD in video.predictions:
    shift = shift + video.predictions[motion.MOTION_FIELD][0]
  return rotations.matrix_from_angles(tf.constant(angles)).numpy(), shift


def _intrinsics(sample, camera) -> np.ndarray:
  """Those that the model has learnt, else the data set's."""
  if camera is None:
    return sample.intrinsics
  height, width = sample.image.shape[:2]
  fx, fy, cx, cy = camera[0, 0, 0] * (width, height, width, height)
  return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float32)


def _mean(error) -> float:
  known = error[np.isfinite(error)]
  return float(known.mean()) if known.size else float("nan")


def _median_scale(truth, depth) -> float:
  known = truth > 0
  if not known.any():
    return 1.0
  return float(np.median(truth[known]) / max(np.median(depth[known]), _TINY))


def _depth_tile(depth, truth, scale, is_truth) -> pictures.Tile:
  if truth is None:
    near, far = pictures.depth_range(depth)
    return pictures.Tile(
      pictures.colorize_depth(depth, near, far), f"{near:.1f} to {far:.1f}, unscaled"
    )
  near, far = pictures.depth_range(truth)
  if is_truth:
    caption = f"{near:.1f} to {far:.1f} m"
  else:
    error = pictures.relative_error(truth, scale * depth)
    caption = f"abs rel {_mean(error):.3f}, scale {scale:.3g}"
  return pictures.Tile(pictures.colorize_depth(scale * depth, near, far), caption)


def _agreement(numbers, truth) -> str:
  label = truth.get(samples_lib.SEGMENTATION)
  if label is None:
    return ""
  known = label[0] != road_classes.VOID
  return f"{100 * np.mean(numbers[known] == label[0][known]):.1f}% right" if known.any() else ""


def _longest(field) -> float:
  if field is None:
    return 0.0
  return float(np.nanmax(np.linalg.norm(field[0].astype(np.float32), axis=-1), initial=0.0))


def _longest_caption(field) -> str:
  length = np.linalg.norm(field, axis=-1)
  return f"longest {np.nanmax(length, initial=0.0):.2f} m"


def _gif(sample) -> bytes:
  video = sample.video
  depth, numbers = (video.predictions.get(n) for n in ("depth", samples_lib.SEGMENTATION))
  if depth is not None:
    near, far = pictures.depth_range(depth[0].astype(np.float32))
  frames = []
  for i, image in enumerate(video.images):
    parts = [image]
    if depth is not None:
      parts.append(pictures.colorize_depth(depth[i].astype(np.float32), near, far))
    if numbers is not None:
      parts.append(pictures.colorize_classes(numbers[i]))
    frames.append(np.concatenate(parts, axis=1))
  return pictures.gif(frames)
