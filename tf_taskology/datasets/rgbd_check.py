"""Looks over a folder of RGB-D frames before one trains on it, and says what is wrong or odd."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_taskology.datasets import (
  rgbd_check_cameras,
  rgbd_check_images,
  rgbd_files,
  rgbd_findings,
  rgbd_layouts,
)

_FEW_FRAMES = 50


@dataclasses.dataclass(frozen=True)
class Report:
  """What a check found.

  Attributes:
    summary: (name, value) in the order in which they are shown.
    findings: worst first.
  """

  summary: tuple[tuple[str, str], ...]
  findings: tuple[rgbd_findings.Finding, ...]

  @property
  def has_errors(self) -> bool:
    return any(finding.severity == rgbd_findings.ERROR for finding in self.findings)

  def __str__(self) -> str:
    width = max(len(name) for name, _ in self.summary)
    lines = [f"{name:<{width}}  {value}" for name, value in self.summary]
    for severity in rgbd_findings.SEVERITIES:
      found = [finding for finding in self.findings if finding.severity == severity]
      if found:
        lines += ["", f"{severity}s ({len(found)})"] + [f"  - {finding.text}" for finding in found]
    if not self.findings:
      lines += ["", "Nothing to complain about."]
    return "\n".join(lines)


def check(
  path: str,
  layout: str = "auto",
  intrinsics: Sequence[float] | None = None,
  depth_scale: float | None = None,
  max_images: int = 500,
) -> Report:
  """Checks a recording.

  Args:
    path: folder of the recording.
    layout: as `rgbd_folder.RgbdFolder`.
    intrinsics: as `rgbd_folder.RgbdFolder`.
    depth_scale: as `rgbd_folder.RgbdFolder`.
    max_images: at most so many frames, evenly spread, have their images opened. All files are looked for.
  """
  try:
    recording = rgbd_layouts.read(path, layout)
  except (ValueError, OSError) as error:
    finding = rgbd_findings.Finding(rgbd_findings.ERROR, str(error))
    return Report((("folder", path),), (finding,))
  if intrinsics is not None:
    recording = dataclasses.replace(
      recording, intrinsics=rgbd_files.from_focal(intrinsics), depth_intrinsics=None
    )
  if depth_scale is not None:
    recording = dataclasses.replace(recording, depth_scale=depth_scale)
  findings = rgbd_findings.Findings()
  _check_files(recording, findings)
  count = len(recording.frames)
  chosen = np.unique(np.linspace(0, count - 1, min(count, max_images)).round().astype(int))
  frames = [recording.frames[index] for index in chosen]
  images = rgbd_check_images.check(recording, frames, findings)
  cameras = rgbd_check_cameras.check(recording, images.color_size, images.depth_size, findings)
  summary = [
    ("folder", path),
    ("layout", recording.layout),
    ("frames", f"{count} ({len(frames)} opened)" if len(frames) < count else str(count)),
    *images.summary,
    *cameras,
  ]
  return Report(tuple(summary), findings.sorted())


def _check_files(recording, findings):
  """Number of frames, what is missing beside them, and times."""
  frames = recording.frames
  if len(frames) < _FEW_FRAMES:
    findings.warning(f"only {len(frames)} frames; {_FEW_FRAMES} or more are wanted for training")
  without_depth = [frame.color for frame in frames if frame.depth is None]
  if len(without_depth) == len(frames):
    findings.note("no depth images: the folder can serve as a mediator, not as labelled data")
  elif without_depth:
    findings.warning("colour images without depth", without_depth, len(frames))
  if recording.orphans:
    findings.warning("files that belong to no colour image", recording.orphans)
  times = [frame.time for frame in frames if frame.time is not None]
  if len(times) == len(frames) > 1:
    gaps = np.diff(times)
    if np.any(gaps <= 0):
      repeated = [frames[i + 1].color for i in np.flatnonzero(gaps <= 0)]
      findings.error("times that do not increase", repeated, len(frames))
    long = np.flatnonzero(gaps > max(1.0, 10 * np.median(gaps)))
    if long.size:
      largest = gaps.max()
      findings.note(
        f"gaps in time (longest {largest:.1f} s) before", [frames[i + 1].color for i in long]
      )
