"""Looks a data set over before one trains on it."""

from collections.abc import Sequence

import numpy as np
from absl import logging

from tf_taskology.datasets import rgbd_check, rgbd_findings
from tf_taskology.datasets.video import calibration, footage, inspection, views

_QUICK_IMAGES = 12


def refuse_bad_files(
  data: footage.Footage,
  clips: Sequence[footage.Clip],
  clip_views: Sequence[views.View],
  labels: Sequence[str],
  frame_step: int,
):
  """A look at all headers and some images.

  Args:
    data: the data set.
    clips: of it.
    clip_views: how the images of each become those of samples.
    labels: names of the labels that are read.
    frame_step: between two frames of a sample; 0 where samples are single images.

  Raises:
    ValueError: files are missing, truncated or of another size, labels hold what they may not, or the video is black
      or stands still.
  """
  findings = rgbd_findings.Findings()
  sizes = [view.resize.original for view in clip_views]
  _headers(data, clips, sizes, labels, findings)
  if not _has_errors(findings):
    inspection.images(data, clips, sizes, _QUICK_IMAGES, frame_step, findings)
    inspection.labels(data, clips, clip_views, labels, _QUICK_IMAGES, findings)
    inspection.poses(clips, findings)
  for item in findings.sorted():
    if item.severity == rgbd_findings.WARNING:
      logging.warning("%s: %s", data.describe(), item.text)
  errors = [item.text for item in findings.sorted() if item.severity == rgbd_findings.ERROR]
  if errors:
    raise ValueError(
      f"{data.describe()}: {'; '.join(text.removesuffix('.') for text in errors)}. `python -m tf_taskology.check_data` looks at more of it."
    )


def check(
  data: footage.Footage,
  max_images: int = 500,
  frame_step: int = 1,
  rescale_intrinsics: bool = False,
) -> rgbd_check.Report:
  """Checks a data set at length; arguments as those of `video_source.VideoSource`.

  Args:
    data: the data set.
    max_images: at most about so many images, and labels of each kind, are opened. All files are looked for.
    frame_step: frames between the neighbours that are compared.
    rescale_intrinsics: images were resized as wholes since they were calibrated.
  """
  findings = rgbd_findings.Findings()
  try:
    clips = data.clips()
    sizes = [data.stored_size(clip) for clip in clips]
  except (ValueError, OSError) as error:
    finding = rgbd_findings.Finding(rgbd_findings.ERROR, str(error))
    return rgbd_check.Report((("data", data.describe()),), (finding,))
  lengths = [len(clip.frames) for clip in clips]
  names = [name for name in data.labels if any(name in f.files for c in clips for f in c.frames)]
  summary = [
    ("data", data.describe()),
    ("clips", f"{len(clips)}, of {min(lengths)} to {max(lengths)} frames, {sum(lengths)} in all"),
    ("images", ", ".join(sorted({f"{size[1]}x{size[0]}" for size in sizes})[:5])),
  ]
  if max(lengths) <= frame_step:
    findings.warning(
      f"no clip has two frames {frame_step} apart: this is no video, and losses between frames cannot use it"
    )
  clip_views = _views(clips, sizes, rescale_intrinsics, summary, findings)
  if not names:
    findings.note("no labels: the data can serve as a mediator, not as labelled data")
  if None in clip_views:  # depth is measured along a camera's rays: without one nothing can be said
    names = [name for name in names if name != "depth"]
    clip_views = [views.View(views.plan(size, None, True), np.eye(3)) for size in sizes]
  _headers(data, clips, sizes, names, findings)
  inspection.images(data, clips, sizes, max_images, frame_step, findings)
  summary += inspection.poses(clips, findings)
  summary += inspection.labels(data, clips, clip_views, names, max_images, findings)
  return rgbd_check.Report(tuple(summary), findings.sorted())


def _views(clips, sizes, rescale, summary, findings):
  """A view of whole images for each clip, None where there is no camera."""
  found, cameras, without = [], [], 0
  for clip, size in zip(clips, sizes, strict=True):
    view = None
    without += clip.intrinsics is None
    if clip.intrinsics is not None:
      try:
        camera = calibration.camera(clip, size, rescale)
      except ValueError as error:
        findings.error(str(error))
      else:
        cameras.append(f"fx {camera[0, 0]:.1f}, fy {camera[1, 1]:.1f}")
        view = views.View(views.plan(size, None, True), camera)
    found.append(view)
  if without:
    findings.note(
      f"{without} of {len(clips)} clips have no intrinsics ({clips[0].calibration}): set "
      "video_source.VideoSource.assumed_field_of_view, and let the motion network learn them"
    )
  if cameras:
    summary.append(("camera", "; ".join(sorted(set(cameras))[:3])))
  return found


def _headers(data, clips, sizes, labels, findings):
  for kind in ("image", *labels):
    bad = []
    for clip, size in zip(clips, sizes, strict=True):
      for frame in clip.frames:
        if kind == "image" or kind in frame.files:
          found = data.problem(kind, frame, size)
          path = frame.image if kind == "image" else frame.files[kind]
          bad += [f"{path!r}: {found}"] if found else []
    if bad:
      more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
      findings.error(f"{len(bad)} bad file(s) of {kind}: {'; '.join(bad[:3])}{more}")


def _has_errors(findings):
  return any(item.severity == rgbd_findings.ERROR for item in findings.sorted())
