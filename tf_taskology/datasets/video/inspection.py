"""Opens some images, labels and poses of a data set and says what is wrong or odd."""

import collections
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tf_taskology.datasets import rgbd_files, rgbd_findings
from tf_taskology.datasets.video import footage, views
from tf_taskology.tasks import road_classes

_BLANK = 2.0  # standard deviation in grey levels of an image that shows nothing
_STILL = (
  0.4  # grey levels between neighbours, images reduced to _REDUCED: noise of a sensor is below
)
_REDUCED = (52, 16)
_PLAUSIBLE_METRES = (1.0, 100.0)


def read_image(data: footage.Footage, clip, frame, size: tuple[int, int]) -> np.ndarray:
  """[height, width, 3] uint8; ValueError that names the file if it is bad or not of `size`."""
  image = data.read_image(clip, frame)
  if image.shape[:2] != tuple(size):
    raise ValueError(
      f"Image {frame.image!r} is {image.shape[1]}x{image.shape[0]} (width x height), but the first image of clip "
      f"{clip.name!r} is {size[1]}x{size[0]}; all images of a clip must have one size."
    )
  return image


def images(
  data: footage.Footage,
  clips: Sequence[footage.Clip],
  sizes: Sequence[tuple[int, int]],
  max_images: int,
  step: int,
  findings: rgbd_findings.Findings,
):
  """Finds images that cannot be read, that show nothing, and videos that stand still.

  Args:
    data: the data set.
    clips: of it.
    sizes: (height, width) of the images of each clip.
    max_images: about so many pairs of neighbours are opened.
    step: how many frames lie between neighbours; 0 opens single images.
    findings: are added to.
  """
  blank, still, bad, looked = [], [], [], 0
  chosen = evenly(len(clips), max_images)
  each = max(2, max_images // len(chosen))
  for index in chosen:
    clip = clips[index]
    starts = evenly(max(1, len(clip.frames) - step), each)
    spreads, changes = [], []
    for start in starts:
      try:
        pair = [
          read_image(data, clip, clip.frames[i], sizes[index])
          for i in (start, start + step)[: 2 if step and start + step < len(clip.frames) else 1]
        ]
      except ValueError as error:
        bad.append(str(error))
        continue
      spreads.append(pair[0].std())
      if len(pair) == 2 and spreads[-1] >= _BLANK:
        changes.append(np.abs(_reduced(pair[0]) - _reduced(pair[1])).mean())
    looked += 1
    _add(blank, clip.name, [spread < _BLANK for spread in spreads])
    _add(still, clip.name, [change < _STILL for change in changes])
  _errors(bad, findings)
  _judge(blank, looked, "images of a single colour (black?)", findings)
  _judge(
    still, looked, f"neighbouring images, {step} apart, that show the same (no motion)", findings
  )


def labels(
  data: footage.Footage,
  clips: Sequence[footage.Clip],
  clip_views: Sequence[views.View],
  names: Sequence[str],
  max_images: int,
  findings: rgbd_findings.Findings,
) -> list[tuple[str, str]]:
  """Reads some labels; returns (name, value) for a summary. Arguments as above."""
  summary = []
  for name in names:
    places = [
      (index, frame)
      for index, clip in enumerate(clips)
      for frame in clip.frames
      if name in frame.files
    ]
    if not places:
      findings.error(f"{data.describe()}: no frame has a file for the label {name!r}")
      continue
    values, bad = [], []
    for place in evenly(len(places), max_images):
      index, frame = places[place]
      try:
        values.append(data.read_label(name, clips[index], frame, clip_views[index]))
      except ValueError as error:
        bad.append(str(error))
    _errors(bad, findings)
    if values:
      about = _classes(values, findings) if name == "segmentation" else _depths(values, findings)
      summary.append((name, f"{len(places)} frames; {about}"))
  return summary


def poses(clips: Sequence[footage.Clip], findings: rgbd_findings.Findings) -> list[tuple[str, str]]:
  """Whether poses are rigid and make sense as a path; returns (name, value) for a summary."""
  posed = [clip for clip in clips if clip.has_poses]
  if not posed:
    frames = [frame for clip in clips for frame in clip.frames]
    without = [frame.file for frame in frames if frame.pose is None]
    if len(without) < len(frames):
      text = "no poses are given, for every frame must have one; it is missing for"
      findings.warning(text, without, len(frames))
    else:
      findings.note("no poses: losses that need the camera's motion cannot use this data")
    return []
  if len(posed) < len(clips):
    without = next(clip.name for clip in clips if not clip.has_poses)
    findings.warning(
      f"{len(clips) - len(posed)} of {len(clips)} clips have no poses (or not for every frame), e.g. {without!r}: "
      "poses are only given when every clip has them"
    )
  length, steps = 0.0, []
  for clip in posed:
    broken = [frame.file for frame in clip.frames if not rgbd_files.is_pose(frame.pose)]
    if broken:
      findings.error("poses that are not rigid (or not finite)", broken, len(clip.frames))
      continue
    step = np.linalg.norm(np.diff([frame.pose[:3, 3] for frame in clip.frames], axis=0), axis=-1)
    if len(step) and not step.any():
      findings.warning(f"clip {clip.name!r}: all poses are the same")
    jumps = np.flatnonzero(step > max(5.0, 5 * np.median(step))) if len(step) else ()
    if len(jumps):
      findings.warning(
        f"clip {clip.name!r}: the sensor jumps (farthest {step.max():.1f} m) before",
        [clip.frames[i + 1].file for i in jumps],
      )
    length += step.sum()
    steps.extend(step)
  if not steps:
    return []
  return [("poses", f"median step {np.median(steps):.3f} m, path {length:.1f} m")]


def evenly(count: int, wanted: int) -> list[int]:
  """At most `wanted` of the indices 0 to count - 1, evenly spread, ends included."""
  return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(int)).tolist()


def _reduced(image):
  grey = Image.fromarray(image.mean(-1, dtype=np.float32))
  return np.asarray(grey.resize(_REDUCED, Image.BOX))


def _add(found, name, flags):
  if any(flags):
    found.append((name, sum(flags), len(flags)))


def _judge(found, looked, what, findings):
  """An error if nothing else was seen anywhere, else a warning."""
  whole = [name for name, count, total in found if count == total]
  if whole and len(whole) == looked:
    findings.error(f"all images opened are {what}; clips: {', '.join(whole[:5])}")
  elif found:
    parts = [f"{name} ({count} of {total} opened)" for name, count, total in found[:5]]
    more = f", and {len(found) - 5} more" if len(found) > 5 else ""
    findings.warning(f"{what} in clips: {', '.join(parts)}{more}")


def _errors(bad, findings):
  bad = list(dict.fromkeys(bad))  # one file may be that of many frames
  for text in bad[:3]:
    findings.error(text)
  if len(bad) > 3:
    findings.error(f"and {len(bad) - 3} more like these")


def _classes(values, findings):
  counts = collections.Counter()
  for value in values:
    counts.update(value.ravel().tolist())
  total, void = sum(counts.values()), counts.pop(road_classes.VOID, 0)
  if not counts:
    findings.error("segmentation: no pixel of the opened labels belongs to a class")
    return "no class"
  shares = ", ".join(
    f"{road_classes.CLASSES[number].name} {count / total:.1%}"
    for number, count in counts.most_common()
  )
  return f"{shares}; without a label {void / total:.1%}"


def _depths(values, findings):
  known = np.concatenate([value[value > 0] for value in values])
  if not known.size:
    findings.error("depth: none of the opened labels has a measurement in its image")
    return "no measurement"
  low, median, high = np.percentile(known, (5, 50, 95))
  if not _PLAUSIBLE_METRES[0] <= median <= _PLAUSIBLE_METRES[1]:
    findings.warning(f"the median depth is {median:.3g} m: is the unit right?")
  share = known.size / sum(value.size for value in values)
  return f"{share:.1%} of pixels, median {median:.1f} m, 5 %-95 % {low:.1f}-{high:.1f} m"
