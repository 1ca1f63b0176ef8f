"""Neighbouring frames of a sample in both directions, with the motion that joins them."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tf_taskology.consistency import views
from tf_taskology.geometry import cameras, motion_warp, object_masks, rotations
from tf_taskology.tasks import motion

SEGMENTATION = "segmentation"
INSTANCES = "instances"
MASKS = (None, "hard", "soft", "boxes")


class Reading:
  """What a relation that moves frames by predicted depth and motion reads, and how.

  Shared by the relations; they pass its arguments on.
  """

  def __init__(
    self,
    relation: str,
    frames: Sequence[int] = (0, 1),
    intrinsics: str = "given",
    ego_motion: str = "learned",
    object_motion: bool = True,
    interval: float = 1.0,
    mask: str | None = None,
    movable_classes: Sequence[int] = (),
    dilation: int = 0,
    spans: Sequence[int] = (1,),
  ):
    """Checks the arguments.

    Args:
      relation: its name, for messages.
      frames: consecutive frames of the sample; each two that are one of `spans` apart are compared, both ways.
      intrinsics: "given" in the sample or "learned", the mean of what motion says of both directions.
      ego_motion: "learned", or "given" as poses in the sample.
      object_motion: whether the motion field is read.
      interval: dt, by which the motion field is multiplied: 1 if it is metres between frames,
        seconds between frames if it is metres per second.
      mask: None lets every pixel move by itself; "hard" and "soft" only what the segmentation of the
        same frame says is movable (by largest logit, or by probability); "boxes" only in the filled
        bounding boxes of the sample's "instances" [batch, frames, H, W, 1] (0: none), as Depth from
        Videos in the Wild.
      movable_classes: class numbers, for "hard" and "soft".
      dilation: pixels by which hard masks and boxes grow; Depth from Videos in the Wild uses 8.
      spans: numbers of frames: 1 compares neighbours; (1, 2) also every frame with the one after the next.
        What is far, and hardly moves from frame to frame, moves further then. The camera's motion is made
        up of its steps. Objects' is not, so that `object_motion` must be False but for (1,).

    Raises:
      ValueError: for a value out of range.
    """
    frames, spans = tuple(frames), tuple(spans)
    if len(frames) < 2 or frames != tuple(range(frames[0], frames[0] + len(frames))):
      raise ValueError(
        f"{relation}.frames must be two or more consecutive frame numbers. Received: {frames!r}."
      )
    if not spans or len(set(spans)) < len(spans) or not set(spans) <= set(range(1, len(frames))):
      raise ValueError(
        f"{relation}.spans must be different whole numbers >= 1, below the number of frames, {len(frames)}. "
        f"Received: {spans!r}."
      )
    if spans != (1,) and object_motion:
      raise ValueError(
        f"{relation}.spans={spans!r} needs object_motion=False: how objects move is known between neighbours only."
      )
    for field, value, valid in (
      ("intrinsics", intrinsics, ("given", "learned")),
      ("ego_motion", ego_motion, ("given", "learned")),
      ("mask", mask, MASKS),
    ):
      if value not in valid:
        raise ValueError(f"{relation}.{field} must be one of {valid}. Received: {value!r}.")
    if mask in ("hard", "soft") and not movable_classes:
      raise ValueError(
        f"{relation}.movable_classes must name the classes that may move when mask={mask!r}."
      )
    if mask is not None and not object_motion:
      raise ValueError(f"{relation}.mask={mask!r} has no use with object_motion=False.")
    self.relation = relation
    self.frames = frames
    self.pairs = tuple(
      (a + frames[0], b + frames[0]) for a, b in motion.pairs(len(frames))
    )  # in absolute frame numbers
    self.compared = tuple(
      pair for span in spans for a in frames[:-span] for pair in ((a, a + span), (a + span, a))
    )
    self.intrinsics = intrinsics
    self.ego_motion = ego_motion
    self.object_motion = object_motion
    self.interval = interval
    self.mask = mask
    self.movable_classes = tuple(movable_classes)
    self.dilation = dilation

  @property
  def needs(self) -> dict[str, tuple]:
    """Output name -> frames, or pairs of frames."""
    needs = {"depth": self.frames}
    if self.ego_motion == "learned":
      needs.update({motion.ROTATION: self.pairs, motion.TRANSLATION: self.pairs})
    if self.object_motion:
      needs[motion.MOTION_FIELD] = self.pairs
    if self.intrinsics == "learned":
      needs[motion.CAMERA] = self.pairs
    if self.mask in ("hard", "soft"):
      needs[SEGMENTATION] = self.frames
    return needs

  @property
  def needs_inputs(self) -> tuple[str, ...]:
    return (
      *(("intrinsics",) if self.intrinsics == "given" else ()),
      *(("pose",) if self.ego_motion == "given" else ()),
      *((INSTANCES,) if self.mask == "boxes" else ()),
    )

  def select(self, needs, predictions, inputs, labels) -> dict[str, tf.Tensor]:
    """The tensors that are read (labels, where there are some, before predictions), checked.

    Raises:
      ValueError: something is not there, or has too few frames, or another size than depth.
    """
    values = {**predictions, **(labels or {})}
    read = {}
    for source, names in ((values, needs), (inputs, ("image", *self.needs_inputs))):
      for name in names:
        if name not in source:
          raise ValueError(
            f"{self.relation} reads {name!r}, which is not there. There are {sorted(source)}."
          )
        read[name] = source[name]
    for name, value in read.items():
      by_pair = needs.get(name) == self.pairs
      count = value.shape[1] // 2 + 1 if by_pair else value.shape[1]
      if max(self.frames) >= count:
        raise ValueError(
          f"{self.relation}.frames={self.frames} but {name!r} has {value.shape[1]} "
          f"{'pairs' if by_pair else 'frames'}."
        )
    size = read["depth"].shape[2:4]
    if motion.MOTION_FIELD in read:
      read[motion.MOTION_FIELD] = _enlarged(read[motion.MOTION_FIELD], size)
    for name in (motion.MOTION_FIELD, SEGMENTATION):
      if name in read and read[name].shape[2:4] != size:
        raise ValueError(
          f"{self.relation}: {name!r} has shape {read[name].shape} but 'depth' {read['depth'].shape}; "
          "they must have the same rows and columns."
        )
    return read


def _enlarged(field, size):
  """A field [batch, pairs, h, w, 3] as large as depth if that is a whole number of times larger, else as it is."""
  height, width = field.shape[2:4]
  if size == field.shape[2:4] or size[0] % height or size[0] * width != size[1] * height:
    return field
  merged = tf.reshape(field, [-1, height, width, field.shape[-1]])
  # The origins coincide: (x, y) of the field is at (s x, s y) of depth.
  large = tf.cast(tf.raw_ops.ResizeBilinear(images=merged, size=[*size]), field.dtype)
  shape = tf.concat([tf.shape(field)[:2], tf.shape(large)[1:]], axis=0)
  return tf.ensure_shape(tf.reshape(large, shape), [*field.shape[:2], *size, field.shape[-1]])


def at_scale(read: Mapping[str, tf.Tensor], scale: int) -> dict[str, tf.Tensor]:
  """Every `scale`-th row and column of the predictions among what `Reading.select` gives."""
  if scale == 1:
    return dict(read)
  sampled = ("depth", motion.MOTION_FIELD, SEGMENTATION)
  return {n: x[:, :, ::scale, ::scale] if n in sampled else x for n, x in read.items()}


class Directions:
  """Both directions of all that is compared, one after the other along the batch axis (n samples in all).

  Attributes:
    count: number of directions.
    stride: pixels of the image between two of the prediction.
    image, other_image: [n, height, width, 3] and [n, H, W, 3] float in 0..1; see `views.Pair`.
    depth, other_depth: [n, height, width] metres, of source and target frame.
    rotation: [n, 3, 3]; translation: [n, height, width, 3] metres, the camera's and the objects'.
    movable: [n, height, width, 1] in 0..1, where the source frames may move by themselves; None
      where all may.
    residual: [n, height, width, 3], the objects' part after the mask; None without object motion.
    moved: `motion_warp.Moved`, the source frames' pixels in the target frames.
  """

  def __init__(self, reading: Reading, read: Mapping, constant: Sequence[str] = ()):
    """Reads the frames.

    Args:
      reading: what is read and how.
      read: from `Reading.select`.
      constant: what no gradient flows into: "mask", "target_depth".
    """
    self._reading = reading
    depth = read["depth"]
    size, dtype = depth.shape[2:4], depth.dtype
    image = read["image"]
    self.count = len(reading.compared)
    self.stride = cameras.stride(tuple(image.shape[2:4]), tuple(size))
    image = views.footprint_mean(image, self.stride, dtype)
    self.other_image = self.targets(image)
    self.image = self.sources(image)[:, :: self.stride, :: self.stride]
    self.depth, self.other_depth = self.sources(depth)[..., 0], self.targets(depth)[..., 0]
    if "target_depth" in constant:
      self.other_depth = tf.stop_gradient(self.other_depth)
    intrinsics = self._intrinsics(read, image.shape[2:4], dtype)
    self.rotation, translation = self._ego_motion(read, dtype)
    self.movable = self._movable(read, depth.dtype, "mask" in constant)
    self.residual = self._residual(read)
    self.translation = tf.broadcast_to(translation, tf.concat([tf.shape(self.depth), [3]], axis=0))
    if self.residual is not None:
      self.translation += self.residual
    self.moved = motion_warp.move(
      self.depth,
      self.rotation,
      translation if self.residual is None else self.translation,
      *intrinsics,
    )

  def sources(self, x: tf.Tensor) -> tf.Tensor:
    """[batch, frames, ...] -> [n, ...], the source frame of each direction."""
    return tf.concat([x[:, a] for a, _ in self._reading.compared], axis=0)

  def targets(self, x: tf.Tensor) -> tf.Tensor:
    """[batch, frames, ...] -> [n, ...], the target frame of each direction."""
    return tf.concat([x[:, b] for _, b in self._reading.compared], axis=0)

  def _of_neighbours(self, x: tf.Tensor) -> dict[tuple[int, int], tf.Tensor]:
    """[batch, pairs, ...] -> [batch, ...] of each pair of neighbours."""
    first = 2 * self._reading.frames[0]
    return {pair: x[:, first + i] for i, pair in enumerate(self._reading.pairs)}

  def reversed(self, x: tf.Tensor) -> tf.Tensor:
    """[n, ...] with the opposite direction in each one's place."""
    parts = tf.split(x, self.count, axis=0)
    return tf.concat([parts[i ^ 1] for i in range(self.count)], axis=0)

  def _of_frames(self, x):
    """What holds of the whole frame, [batch, pairs, rows, columns, channels] -> [batch, channels] of each pair."""
    return self._of_neighbours(tf.reduce_mean(x, axis=[2, 3]))

  def _intrinsics(self, read, image_size, dtype):
    """Of source and target frames, pixels of the prediction, [n, 3, 3] each."""
    if self._reading.intrinsics == "given":
      given = cameras.scale_intrinsics(tf.cast(read["intrinsics"], dtype), 1 / self.stride)
      return self.sources(given), self.targets(given)
    said = self._of_frames(read[motion.CAMERA])
    means = []
    for source, target in self._reading.compared:
      steps = [*_steps(source, target), *_steps(target, source)]
      means.append(tf.add_n([said[step] for step in steps]) / len(steps))
    camera = tf.concat(means, axis=0)
    height, width = image_size
    pixels = tf.constant([width, height, width, height], dtype) / self.stride
    fx, fy, cx, cy = tf.unstack(camera * pixels, axis=-1)
    zero, one = tf.zeros_like(fx), tf.ones_like(fx)
    rows = [[fx, zero, cx], [zero, fy, cy], [zero, zero, one]]
    matrix = tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)
    return matrix, matrix

  def _ego_motion(self, read, dtype):
    """Rotations [n, 3, 3] and translations [n, 1, 1, 3]."""
    if self._reading.ego_motion == "given":
      pose = tf.cast(read["pose"], dtype)
      transform = cameras.relative_pose(self.sources(pose), self.targets(pose))
      return transform[:, :3, :3], transform[:, tf.newaxis, tf.newaxis, :3, 3]
    turns = {
      pair: rotations.matrix_from_angles(angles)
      for pair, angles in self._of_frames(read[motion.ROTATION]).items()
    }
    moves = self._of_frames(read[motion.TRANSLATION])
    composed = [_composed(turns, moves, *pair) for pair in self._reading.compared]
    rotation, translation = (tf.concat(part, axis=0) for part in zip(*composed, strict=True))
    return rotation, translation[:, tf.newaxis, tf.newaxis]

  def _residual(self, read):
    if not self._reading.object_motion:
      return None
    of_neighbours = self._of_neighbours(read[motion.MOTION_FIELD])
    field = tf.concat([of_neighbours[pair] for pair in self._reading.compared], axis=0)
    field *= self._reading.interval
    return field if self.movable is None else field * self.movable

  def _movable(self, read, dtype, constant):
    mask = self._mask(read)
    if mask is None:
      return None
    mask = tf.cast(mask, dtype)
    return tf.stop_gradient(mask) if constant else mask

  def _mask(self, read):
    """`movable`, as it is read."""
    reading = self._reading
    if reading.mask is None:
      return None
    if reading.mask == "boxes":
      instances = read[INSTANCES][:, :, :: self.stride, :: self.stride]
      return object_masks.dilate(object_masks.boxes(self.sources(instances)), reading.dilation)
    segmentation = self.sources(read[SEGMENTATION])
    if segmentation.shape[-1] == 1:  # labels
      mask = object_masks.movable_labels(segmentation, reading.movable_classes)
    else:
      mask = object_masks.movable(segmentation, reading.movable_classes, reading.mask == "soft")
    return mask if reading.mask == "soft" else object_masks.dilate(mask, reading.dilation)


def _steps(source: int, target: int) -> list[tuple[int, int]]:
  """The pairs of neighbours on the way."""
  step = 1 if target > source else -1
  return [(frame, frame + step) for frame in range(source, target, step)]


def _composed(turns: Mapping, moves: Mapping, source: int, target: int):
  """Rotation [batch, 3, 3] and translation [batch, 3] of the way, one step after the other."""
  first, *others = _steps(source, target)
  rotation, translation = turns[first], moves[first]
  for step in others:
    rotation = tf.linalg.matmul(turns[step], rotation)
    translation = tf.linalg.matvec(turns[step], translation) + moves[step]
  return rotation, translation
