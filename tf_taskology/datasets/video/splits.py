"""Which frames of which clips make the samples of a split."""

import fnmatch
from collections.abc import Mapping, Sequence

from tf_taskology.datasets.video import footage

Split = tuple[float, float] | Sequence[str]


def check(splits: Mapping[str, Split], owner: str = "VideoSource"):
  """Raises ValueError, in the name of `owner`, for a split that is neither (begin, end) nor names of clips."""
  for name, split in splits.items():
    by_name = bool(split) and all(isinstance(item, str) for item in split)
    if isinstance(split, str) or not (by_name or _is_share(split)):
      raise ValueError(
        f"{owner}: split {name!r} must be shares (begin, end) with 0 <= begin < end <= 1, or a list of names or "
        f"patterns of clips such as ('*_drive_0009_*',). Received: {split!r}."
      )


def frames_of(clips: Sequence[footage.Clip], split: Split) -> list[range]:
  """For each clip the indices of its frames that belong to the split: a share in order of time, or all or none."""
  if _is_share(split):
    return [range(*(round(share * len(clip.frames)) for share in split)) for clip in clips]
  return [range(len(clip.frames) if _is_named(clip.name, split) else 0) for clip in clips]


def used(clips: Sequence[footage.Clip], splits: Mapping[str, Split]) -> list[footage.Clip]:
  """Clips that some split reads: what the others lack (poses, a camera) is no concern of the samples."""
  return [
    clip
    for clip in clips
    if any(_is_share(split) or _is_named(clip.name, split) for split in splits.values())
  ]


def samples(
  clips: Sequence[footage.Clip],
  split: Split,
  num_frames: int,
  frame_step: int,
  sample_step: int,
  labels: Sequence[str],
) -> list[tuple[int, range]]:
  """(index of the clip, indices of frames) of every sample, clip by clip in order of time.

  With labels, only samples of which a frame has one of them.
  """
  span = (num_frames - 1) * frame_step
  found = []
  for index, (clip, part) in enumerate(zip(clips, frames_of(clips, split), strict=True)):
    for start in range(part.start, part.stop - span, sample_step):
      frames = range(start, start + span + 1, frame_step)
      if not labels or any(name in clip.frames[i].files for i in frames for name in labels):
        found.append((index, frames))
  return found


def _is_named(name, split):
  # A name with brackets is a pattern that does not match itself.
  return any(name == pattern or fnmatch.fnmatchcase(name, pattern) for pattern in split)


def _is_share(split):
  numbers = len(split) == 2 and all(isinstance(item, int | float) for item in split)
  return numbers and 0 <= split[0] < split[1] <= 1
