"""A source over samples in memory, for tests of evaluation and report."""

import types
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf


def intrinsics(size: tuple[int, int], num_frames: int) -> np.ndarray:
  """[frames, 3, 3] float32 of a camera whose focal length is the image's width."""
  height, width = size
  camera = [[width, 0, (width - 1) / 2], [0, width, (height - 1) / 2], [0, 0, 1]]
  return np.repeat(np.array([camera], np.float32), num_frames, 0)


def source(
  sample: Callable[[int], dict],
  num_samples: int,
  labels: Sequence[str],
  num_frames: int,
  size: tuple[int, int],
) -> types.SimpleNamespace:
  """What evaluation reads of a source; every split has the same samples, made by their numbers."""

  def dataset(split):
    del split
    samples = [sample(i) for i in range(num_samples)]
    return tf.data.Dataset.from_tensor_slices(
      tf.nest.map_structure(lambda *x: np.stack(x), *samples)
    )

  return types.SimpleNamespace(
    labels=tuple(labels),
    num_frames=num_frames,
    image_size=size,
    num_samples=lambda split: num_samples,
    dataset=dataset,
  )
