"""Ego-motion: errors of trajectories (ATE) and of steps (RPE), beside those of a guess."""

import dataclasses
import hashlib

import numpy as np
import tensorflow as tf

from tf_taskology.datasets import element
from tf_taskology.evaluation import protocol, trajectory
from tf_taskology.geometry import rotations
from tf_taskology.tasks import motion

ALIGNMENTS = {
  "none": "metric, first poses made one",
  "scale": "first poses made one, and one scale for each sequence",
  "split_scale": "first poses made one, and one scale for all sequences of the split",
  "rigid": "rotated and moved onto the true path (Umeyama without scale)",
  "similarity": "rotated, moved and scaled onto the true path (Umeyama)",
}
DIRECTIONS = ("forward", "backward", "average")
_NUM_TRAJECTORIES = 6
_OPEN = (
  8  # sequences that a sample may continue: with every n-th frame in a sample, n of them take turns
)


@dataclasses.dataclass
class _Sequence:
  """Consecutive frames and the steps between them, each step [4, 4]."""

  name: str
  frames: list[bytes]
  truth: list[np.ndarray]
  steps: list[np.ndarray]


class EgoMotionProtocol(protocol.Protocol):
  """ATE, RPE and ATE of short snippets, of predicted ego-motion and of guesses.

  Sequences: the steps of a sample are chained to a path; a sample whose first frames are the same pictures as the last
  ones of a sequence just before it continues that sequence, so that overlapping samples of a video in order make one
  path (and samples of every n-th frame n paths).

  - rpe_translation, rpe_rotation: root mean square over all steps of the split of inverse(true step) times predicted
    step, its translation and its angle. The scale is that of the alignment.
  - ate: root mean square distance of the aligned path from the true one, mean over sequences.
  - snippet_ate: mean over all windows of `snippet_frames` frames, each scaled by itself, as the public code of Zhou et
    al. 2017 takes it (`trajectory.snippet_error`).

  Guesses to beat:
  - constant_*: constant velocity: every step is the mean true step of the split (straight ahead at the mean speed),
    aligned exactly as the prediction is, so that with one scale per sequence it has each sequence's own speed. Zhou et
    al. call it mean odometry.
  - previous_*: every step repeats the TRUE step before it; no scale is fitted, and first steps do not count. It knows
    what no network is told, and at 10 frames a second little changes in a step.
  """

  def __init__(
    self,
    name: str = "ego-motion",
    truth: str = "pose",
    alignment: str = "scale",
    direction: str = "average",
    snippet_frames: int = 3,
  ):
    """Ego-motion.

    Args:
      name: heading in tables.
      truth: "pose", the elements' camera-to-world poses, or "labels", the labels "rotation" and "translation" of pairs.
      alignment: one of `ALIGNMENTS`. What learns from one camera without labels knows no metres: "scale" or
        "similarity" for long sequences; "split_scale" for short ones, of which a scale of their own makes little.
      direction: which pairs the predicted steps are of: "forward" (0, 1), "backward" (1, 0), or "average", the mean of
        one with the inverse of the other, as Depth from Videos in the Wild does.
      snippet_frames: 2 or more; 3 or 5 are usual.

    Raises:
      ValueError: an argument is out of its range.
    """
    for argument, value, known in (
      ("truth", truth, ("pose", "labels")),
      ("alignment", alignment, tuple(ALIGNMENTS)),
      ("direction", direction, DIRECTIONS),
    ):
      if value not in known:
        raise ValueError(
          f"EgoMotionProtocol.{argument} must be one of {known}. Received: {value!r}."
        )
    if snippet_frames < 2:
      raise ValueError(
        f"EgoMotionProtocol.snippet_frames must be at least 2. Received: {snippet_frames}."
      )
    self.name = name
    self.outputs = (motion.ROTATION, motion.TRANSLATION)
    self.fields = (element.IMAGE, element.SAMPLE_ID)
    self.fields += (element.POSE,) if truth == "pose" else ()
    self._truth, self._alignment, self._direction = truth, alignment, direction
    self._snippet_frames = snippet_frames
    self.reset()

  @property
  def labels(self) -> tuple[str, ...]:
    return self.outputs if self._truth == "labels" else ()

  @property
  def description(self) -> str:
    chosen = "averaged over both directions" if self._direction == "average" else self._direction
    return (
      f"steps {chosen}; alignment “{self._alignment}”: {ALIGNMENTS[self._alignment]}; RPE: root mean square over steps, "
      f"ATE: root mean square a sequence, mean over sequences; snippets of {self._snippet_frames} frames, scaled each "
      "(Zhou et al. 2017); constant velocity: the mean true step of the split, aligned alike; previous step: the true "
      "step before, not aligned"
    )

  @property
  def metrics(self) -> dict[str, protocol.Metric]:
    def some(prefix, title):
      return {
        f"{prefix}rpe_translation": protocol.Metric(f"RPE translation{title}", "m/step", False),
        f"{prefix}rpe_rotation": protocol.Metric(f"RPE rotation{title}", "°/step", False),
        f"{prefix}ate": protocol.Metric(f"ATE{title}", "m", False),
        f"{prefix}snippet_ate": protocol.Metric(
          f"ATE of {self._snippet_frames} frames{title}", "m", False
        ),
      }

    previous = some("previous_", ", previous step")
    del previous["previous_ate"], previous["previous_snippet_ate"]
    return some("", "") | some("constant_", ", constant velocity") | previous

  @property
  def num_images(self) -> int:
    return sum(len(s.frames) for s in self._sequences)

  def reset(self):
    self._sequences: list[_Sequence] = []

  def update(self, labels, predictions):
    steps, truth = self._steps(predictions, self._direction), self._true_steps(labels)
    names = labels[element.SAMPLE_ID]
    for i, image in enumerate(labels[element.IMAGE]):
      frames = [hashlib.blake2b(frame.tobytes(), digest_size=16).digest() for frame in image]
      self._append(_Sequence(_text(names[i]), frames, list(truth[i]), list(steps[i])))

  def _true_steps(self, labels) -> np.ndarray:
    if self._truth == "labels":
      return self._steps(labels, "forward")
    poses = np.asarray(labels[element.POSE], np.float64)
    protocol.check_finite(poses, "poses")
    return np.stack([trajectory.steps_of(p) for p in poses])

  def _steps(self, values, direction) -> np.ndarray:
    """[batch, frames - 1, 4, 4] of values [batch, pairs, 1, 1, 3]."""
    angles, shift = (np.asarray(values[n], np.float64)[:, :, 0, 0] for n in self.outputs)
    for name, array in zip(self.outputs, (angles, shift), strict=True):
      protocol.check_finite(array, f"values of {name!r}")
    forward, backward = np.s_[:, 0::2], np.s_[:, 1::2]
    if direction == "backward":
      return rotations.pose_from_motion(angles[backward], shift[backward]).numpy()
    if direction == "forward":
      transforms = rotations.pose_from_motion(angles[forward], shift[forward]).numpy()
      return trajectory.inverse(transforms)
    rotation, translation = rotations.average_with_reverse(
      *(
        tf.constant(a) for a in (angles[forward], shift[forward], angles[backward], shift[backward])
      )
    )
    transforms = np.zeros([*rotation.shape[:-2], 4, 4])
    transforms[..., :3, :3], transforms[..., :3, 3] = rotation.numpy(), translation.numpy()
    transforms[..., 3, 3] = 1
    return trajectory.inverse(transforms)

  def _append(self, sample: _Sequence):
    """Adds a sample, to a sequence that it continues if there is one."""
    num_frames = len(sample.frames)
    for last in reversed(self._sequences[-_OPEN:]):
      for shift in range(1, num_frames):
        overlap = num_frames - shift
        if last.frames[-overlap:] == sample.frames[:overlap]:
          last.frames += sample.frames[overlap:]
          last.truth += sample.truth[overlap - 1 :]
          last.steps += sample.steps[overlap - 1 :]
          return
    self._sequences.append(sample)

  def result(self) -> dict[str, float]:
    if not self._sequences:
      raise ValueError(f"Protocol {self.name!r} saw no frames.")
    truth = [np.stack(s.truth) for s in self._sequences]
    values = self._errors("", truth, [np.stack(s.steps) for s in self._sequences])
    values |= self._errors("constant_", truth, self._constant(truth))
    later = [s[1:] for s in truth if len(s) > 1]
    if later:
      earlier = [s[:-1] for s in truth if len(s) > 1]
      values |= _step_values("previous_", later, earlier)
    return values

  def _errors(self, prefix, truth, steps) -> dict[str, float]:
    paths = self._aligned(truth, steps)
    values = _step_values(
      prefix, truth, [trajectory.scaled(s, p[1]) for s, p in zip(steps, paths, strict=True)]
    )
    true_paths = [trajectory.chain(s)[:, :3, 3] for s in truth]
    values[f"{prefix}ate"] = float(
      np.mean([trajectory.position_rmse(t, p) for t, (p, _) in zip(true_paths, paths, strict=True)])
    )
    snippets, length = [], self._snippet_frames - 1
    for true, own in zip(truth, steps, strict=True):
      for i in range(len(true) - length + 1):
        ends = (trajectory.chain(s[i : i + length])[:, :3, 3] for s in (true, own))
        snippets.append(trajectory.snippet_error(*ends))
    if snippets:
      values[f"{prefix}snippet_ate"] = float(np.mean(snippets))
    return values

  def _aligned(self, truth, steps) -> list[tuple[np.ndarray, float]]:
    """Positions [frames, 3] and the scale of each sequence."""
    paths = [
      [trajectory.chain(s)[:, :3, 3] for s in pair] for pair in zip(truth, steps, strict=True)
    ]
    if self._alignment in ("rigid", "similarity"):
      result = []
      for true, path in paths:
        rotation, shift, scale = trajectory.umeyama(true, path, self._alignment == "similarity")
        result.append((scale * path @ rotation.T + shift, scale))
      return result
    sums = [trajectory.scale_sums(true, path) for true, path in paths]
    if self._alignment == "split_scale":
      sums = [np.sum(sums, axis=0)] * len(sums)
    scales = [1.0 if self._alignment == "none" else trajectory.best_scale(s) for s in sums]
    return [(scale * path, scale) for (_, path), scale in zip(paths, scales, strict=True)]

  def _constant(self, truth) -> list[np.ndarray]:
    """The mean true step of the split in place of every step."""
    every = np.concatenate(truth)
    angles = rotations.angles_from_matrix(tf.constant(every[:, :3, :3])).numpy().mean(axis=0)
    step = rotations.pose_from_motion(angles, every[:, :3, 3].mean(axis=0)).numpy()
    return [np.broadcast_to(step, s.shape) for s in truth]

  def trajectories(self) -> list[trajectory.Trajectory]:
    """The longest sequences."""
    if not self._sequences:
      return []
    truth = [np.stack(s.truth) for s in self._sequences]
    predicted = self._aligned(truth, [np.stack(s.steps) for s in self._sequences])
    guesses = self._aligned(truth, self._constant(truth))
    lengths = np.array([len(s) for s in truth])
    chosen = np.sort(np.argsort(-lengths, kind="stable")[:_NUM_TRAJECTORIES])
    return [
      trajectory.Trajectory(
        self._sequences[i].name,
        trajectory.chain(truth[i])[:, :3, 3],
        predicted[i][0],
        guesses[i][0],
      )
      for i in chosen
    ]


def _step_values(prefix, truth, steps) -> dict[str, float]:
  shifts, angles = trajectory.step_errors(np.concatenate(truth), np.concatenate(steps))
  return {
    f"{prefix}rpe_translation": float(np.sqrt(np.mean(shifts**2))),
    f"{prefix}rpe_rotation": float(np.sqrt(np.mean(angles**2))),
  }


def _text(value) -> str:
  return value.decode() if isinstance(value, bytes) else str(value)
