"""Samples that an evaluation keeps for pictures, and how they lie on disk."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Mapping

import numpy as np

from tf_taskology.datasets import element
from tf_taskology.evaluation import trajectory
from tf_taskology.tasks import motion

SEGMENTATION = "segmentation"
MAX_FRAMES = 12  # of a video: more make the report large
_DTYPES = {"depth": np.float16, motion.MOTION_FIELD: np.float16}
_FIRST_PAIR = (motion.ROTATION, motion.TRANSLATION, motion.MOTION_FIELD, motion.CAMERA)


@dataclasses.dataclass(frozen=True)
class Video:
  """What pictures of motion need besides the first frame.

  Attributes:
    images: [frames, height, width, 3] uint8.
    labels: name -> [1 or more frames, height, width, channels], frames from the first on.
    predictions: name -> the same, segmentation as class numbers; of outputs of pairs only the first pair, frame 0 to
      frame 1, [1, height or 1, width or 1, channels].
    pose: [frames, 4, 4] camera to world; None if unknown.
  """

  images: np.ndarray
  labels: Mapping[str, np.ndarray]
  predictions: Mapping[str, np.ndarray]
  pose: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Sample:
  """One sample for a picture: the first frame with its labels and predictions, all at the image's size.

  Attributes:
    sample_id: the sample's name in its data set.
    image: [height, width, 3] uint8.
    intrinsics: [3, 3] float32, pixels of `image`.
    labels: output name -> [height, width, channels].
    predictions: output name -> [height, width, channels]; segmentation as class numbers, [height, width, 1] uint8.
    video: further frames and motion; None where no model predicts motion.
  """

  sample_id: str
  image: np.ndarray
  intrinsics: np.ndarray
  labels: Mapping[str, np.ndarray]
  predictions: Mapping[str, np.ndarray]
  video: Video | None = None


def from_batch(
  batch: Mapping, labels: Mapping, predictions: Mapping, pair_outputs: Iterable[str], i: int
) -> Sample:
  """Sample `i` of a batch.

  Args:
    batch: elements with a batch axis in front.
    labels: name -> [batch, frames, ...], those that protocols read.
    predictions: name -> [batch, frames or pairs, ...].
    pair_outputs: names of the predictions that are of pairs.
    i: index in the batch.
  """
  pair_outputs = set(pair_outputs)
  own = {name: classes(name, array[i]) for name, array in predictions.items()}
  size = tuple(batch[element.IMAGE].shape[2:4])
  return Sample(
    sample_id=batch[element.SAMPLE_ID][i].numpy().decode(),
    image=batch[element.IMAGE][i, 0].numpy(),
    intrinsics=batch[element.INTRINSICS][i, 0].numpy(),
    labels={name: array[i, 0] for name, array in labels.items() if array.shape[2:4] == size},
    predictions={name: array[0] for name, array in own.items() if name not in pair_outputs},
    video=_video(batch, own, i) if pair_outputs else None,
  )


def _video(batch, predictions, i) -> Video:
  labels = batch.get(element.LABELS, {})
  pose = batch[element.POSE][i, :MAX_FRAMES].numpy() if element.POSE in batch else None
  return Video(
    images=batch[element.IMAGE][i, :MAX_FRAMES].numpy(),
    # Depth of two frames: the second tells what is hidden in it.
    labels={
      name: labels[name][i, :count].numpy()
      for name, count in (("depth", 2), (SEGMENTATION, 1), ("object_motion", 1))
      if name in labels
    },
    predictions={
      name: array[: 1 if name in _FIRST_PAIR else MAX_FRAMES].astype(_DTYPES.get(name, array.dtype))
      for name, array in predictions.items()
      if name in ("depth", SEGMENTATION, *_FIRST_PAIR)
    },
    pose=pose,
  )


def classes(name: str, values: np.ndarray) -> np.ndarray:
  """Class numbers [..., 1] uint8 of a segmentation's logits; other outputs as they are."""
  if name != SEGMENTATION:
    return values
  return np.argmax(values, axis=-1)[..., np.newaxis].astype(np.uint8)


def write(
  file, samples: Iterable[Sample], trajectories: Mapping[str, Iterable[trajectory.Trajectory]]
):
  """Writes samples, and trajectories by protocol, into an open file."""
  arrays = {}
  for i, sample in enumerate(samples):
    arrays[f"{i}/sample_id"] = np.array(sample.sample_id)
    arrays[f"{i}/image"] = sample.image
    arrays[f"{i}/intrinsics"] = sample.intrinsics
    for group in ("labels", "predictions"):
      for name, array in getattr(sample, group).items():
        arrays[f"{i}/{group}/{name}"] = array
    if sample.video is not None:
      arrays[f"{i}/video/images"] = sample.video.images
      if sample.video.pose is not None:
        arrays[f"{i}/video/pose"] = sample.video.pose
      for group in ("labels", "predictions"):
        for name, array in getattr(sample.video, group).items():
          arrays[f"{i}/video/{group}/{name}"] = array
  for protocol_name, paths in trajectories.items():
    for i, path in enumerate(paths):
      for field in dataclasses.fields(path):
        value = np.array(getattr(path, field.name))
        arrays[f"trajectory/{i}/{field.name}/{protocol_name}"] = value
  np.savez_compressed(file, **arrays)


def read(
  path: str | os.PathLike,
) -> tuple[tuple[Sample, ...], dict[str, tuple[trajectory.Trajectory, ...]]]:
  """What `write` wrote; nothing if there is no such file."""
  if not pathlib.Path(path).exists():
    return (), {}
  samples: dict[int, dict] = {}
  paths: dict[str, dict[int, dict]] = {}
  with np.load(path) as arrays:
    for key in arrays.files:
      if key.startswith("trajectory/"):
        _, index, field, protocol_name = key.split("/", 3)
        paths.setdefault(protocol_name, {}).setdefault(int(index), {})[field] = arrays[key]
        continue
      index, rest = key.split("/", 1)
      sample = samples.setdefault(int(index), {"labels": {}, "predictions": {}})
      _put(sample, rest, arrays[key])
  return (
    tuple(_sample(samples[i]) for i in sorted(samples)),
    {
      name: tuple(
        trajectory.Trajectory(**fields | {"name": str(fields["name"])})
        for _, fields in sorted(group.items())
      )
      for name, group in paths.items()
    },
  )


def _put(sample: dict, key: str, array: np.ndarray):
  """Puts "image", "labels/<name>", "video/images" or "video/labels/<name>" in its place."""
  group, _, rest = key.partition("/")
  if not rest:
    sample[group] = array
  elif group == "video":
    _put(sample.setdefault("video", {"labels": {}, "predictions": {}}), rest, array)
  else:
    sample[group][rest] = array


def _sample(fields: dict) -> Sample:
  video = Video(**fields["video"]) if "video" in fields else None
  return Sample(**fields | {"sample_id": str(fields["sample_id"]), "video": video})
