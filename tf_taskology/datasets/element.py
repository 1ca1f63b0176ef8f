"""The element that every dataset gives, and what is done to it on the way to a batch.

An element (one sample) is a dictionary; of pictures (of point clouds see `point_observation`):
  image       [frames, height, width, 3] uint8
  intrinsics  [frames, 3, 3] float32, pixels of `image`; pixel centres are integers, x is the column
  sample_id   string
  pose        [frames, 4, 4] float32, camera to world, metres (where the dataset knows it)
  labels      output name -> [frames, height, width, channels] (where there are any). A label that is missing holds
              the task's `missing` value: depth 0, normals (0, 0, 0), segmentation 255.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tf_taskology.tasks import task as task_lib

IMAGE = "image"
AUGMENTED_IMAGE = "augmented_image"
INTRINSICS = "intrinsics"
POSE = "pose"
LABELS = "labels"
SAMPLE_ID = "sample_id"

_VECTORS = ("normals", "object_motion", "object_motion_back")  # labels in the camera's axes


def select(
  element: Mapping,
  num_frames: int,
  labels: Sequence[str],
  pose: bool,
  kept: Sequence[str] = (IMAGE, INTRINSICS),
) -> dict:
  """The first `num_frames` frames of the `kept` fields, with the named labels, and the pose if asked for."""
  selected = {
    **{field: element[field][:num_frames] for field in kept},
    SAMPLE_ID: element[SAMPLE_ID],
  }
  if pose:
    selected[POSE] = element[POSE][:num_frames]
  if labels:
    selected[LABELS] = {name: element[LABELS][name][:num_frames] for name in labels}
  return selected


def fold_frames(tensor: tf.Tensor) -> tf.Tensor:
  """[batch, frames, ...] -> [batch * frames, ...]."""
  shape = tf.shape(tensor)
  folded = tf.reshape(tensor, tf.concat([[shape[0] * shape[1]], shape[2:]], axis=0))
  folded.set_shape([None, *tensor.shape[2:]])
  return folded


def unfold_frames(tensor: tf.Tensor, num_frames: int) -> tf.Tensor:
  """[batch * frames, ...] -> [batch, frames, ...]."""
  shape = tf.shape(tensor)
  unfolded = tf.reshape(
    tensor, tf.concat([[shape[0] // num_frames, num_frames], shape[1:]], axis=0)
  )
  unfolded.set_shape([None, num_frames, *tensor.shape[1:]])
  return unfolded


def count(takes: str, num_frames: int) -> int:
  """How many answers tasks give for a sample: its frames, or the pairs of neighbouring ones.

  Raises:
    ValueError: tasks that take pairs get fewer than two frames.
  """
  return num_frames if takes == "frame" else len(task_lib.pairs(num_frames))


def fold(image: tf.Tensor, takes: str) -> tf.Tensor:
  """What networks see of samples: [batch, frames, height, width, 3] with what tasks take along the batch axis.

  Args:
    image: the samples.
    takes: "frame" gives [batch * frames, height, width, 3]; "pair" gives [batch * pairs, height, width, 6], source and
      target frame one after the other, pairs in the order of `task.pairs`. `unfold_frames` by `count` undoes it.

  Raises:
    ValueError: pairs of fewer than two frames.
  """
  if takes == "frame":
    return fold_frames(image)
  sources, targets = zip(*task_lib.pairs(image.shape[1]), strict=True)
  frames = tf.gather(image, sources, axis=1), tf.gather(image, targets, axis=1)
  return fold_frames(tf.concat(frames, axis=-1))


def subsample(labels: Mapping[str, tf.Tensor], height: int, width: int) -> dict[str, tf.Tensor]:
  """Labels at the resolution of a prediction: pixel (x, y) of it is pixel (s x, s y) of the image, exactly.

  Labels of 1 x 1 pixel hold of the whole frame and stay.

  Args:
    labels: name -> [batch, frames, H, W, channels].
    height: rows of the prediction; must divide H.
    width: columns of the prediction; must divide W, by the same stride.

  Raises:
    ValueError: if the stride is not a whole number, or differs between rows and columns.
  """
  result = {}
  for name, label in labels.items():
    label_height, label_width = label.shape[2], label.shape[3]
    if (label_height, label_width) == (1, 1):
      result[name] = label
      continue
    stride = label_height // height
    if (height * stride, width * stride) != (label_height, label_width):
      raise ValueError(
        f"Label {name!r} is {label_height}x{label_width} but the prediction is {height}x{width}: "
        "the image size must be a whole multiple of the network's output."
      )
    result[name] = label[:, :, ::stride, ::stride]
  return result


def flip_left_right(batch: Mapping, flipped: tf.Tensor) -> dict:
  """Mirrors samples of a batch, with everything that the mirror changes.

  The image and labels are reversed along x, vectors (normals, object motion) change the sign of x, the principal
  point moves to width - 1 - cx, and the world is mirrored too (pose -> S pose S with S = diag(-1, 1, 1, 1)), so that
  relative poses still describe the mirrored pictures.

  Args:
    batch: elements with a batch axis in front.
    flipped: [batch] bool.
  """

  def choose(mirrored, original):
    return tf.where(tf.reshape(flipped, [-1] + [1] * (original.shape.rank - 1)), mirrored, original)

  result = dict(batch)
  image = batch[IMAGE]
  result[IMAGE] = choose(tf.reverse(image, axis=[3]), image)
  intrinsics = batch[INTRINSICS]
  width = tf.cast(tf.shape(image)[3], intrinsics.dtype)
  # Mirroring u -> W - 1 - u of u = fx x + k y + cx is fx x' - k y + (W - 1 - cx) with x' = -x.
  sign = tf.constant([[1.0, -1.0, -1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]], intrinsics.dtype)
  offset = tf.scatter_nd([[0, 2]], [width - 1], [3, 3])
  result[INTRINSICS] = choose(intrinsics * sign + offset, intrinsics)
  if POSE in batch:
    mirror = tf.linalg.diag([-1.0, 1.0, 1.0, 1.0])
    result[POSE] = choose(mirror @ batch[POSE] @ mirror, batch[POSE])
  if LABELS in batch:
    labels = {}
    for name, label in batch[LABELS].items():
      mirrored = tf.reverse(label, axis=[3])
      if name in _VECTORS:
        mirrored *= tf.constant([-1.0, 1.0, 1.0], label.dtype)
      labels[name] = choose(mirrored, label)
    result[LABELS] = labels
  return result
