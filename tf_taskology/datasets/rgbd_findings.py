"""What a check of data finds: errors, warnings and notes that name files."""

import dataclasses
import os
from collections.abc import Sequence

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Finding:
  """One thing found.

  Attributes:
    severity: "error": training would fail or learn nonsense; "warning": look at it; "note": good to know.
    text: one sentence, with names of files.
  """

  severity: str
  text: str


class Findings:
  """Collects findings."""

  def __init__(self):
    self._findings = []

  def error(self, text: str, files: Sequence[str] = (), total: int | None = None):
    """Adds an error; many files of one kind are counted and the first ones named."""
    self._findings.append(Finding(ERROR, _with_files(text, files, total)))

  def warning(self, text: str, files: Sequence[str] = (), total: int | None = None):
    """Adds a warning."""
    self._findings.append(Finding(WARNING, _with_files(text, files, total)))

  def note(self, text: str, files: Sequence[str] = (), total: int | None = None):
    """Adds a note."""
    self._findings.append(Finding(NOTE, _with_files(text, files, total)))

  def sorted(self) -> tuple[Finding, ...]:
    """All findings, worst first."""
    return tuple(sorted(self._findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def _with_files(text, files, total):
  if not files:
    return text
  names = ", ".join(_short(file) for file in files[:_SHOWN])
  more = f", and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
  count = f"{len(files)} of {total}" if total else str(len(files))
  return f"{text} ({count}): {names}{more}"


def _short(file):
  """The last folder and the name: enough to find it."""
  return os.path.join(os.path.basename(os.path.dirname(file)), os.path.basename(file))
