"""The folder of a run: what lies where, and whether it belongs to this configuration."""

import difflib
import os
import re
import socket
import tempfile

CONFIG = "config.gin"
SYNCHRONOUS = "collective"  # stands in place of a module's name where one process trains them all
# More steps continue a run, and the start of a run that goes on does not matter any more.
_MAY_CHANGE = re.compile(
  r"\.(steps|initial_run|images_every_epochs|every_secs|keep)\b|^STEPS\b|^INITIAL_RUN\b"
)


class WorkFolderError(ValueError):
  """A work folder that cannot be used."""


def module_dir(work_dir: str, module: str) -> str:
  """Checkpoints, status, history and TensorBoard files of one module."""
  return os.path.join(work_dir, module)


def checkpoints_dir(work_dir: str, module: str) -> str:
  return os.path.join(module_dir(work_dir, module), "checkpoints")


def export_dir(work_dir: str, module: str) -> str:
  """Published versions of one module."""
  return os.path.join(work_dir, "exports", module)


def claim(work_dir: str, config_text: str) -> None:
  """Makes the folder, or checks that it belongs to the same configuration, and keeps the configuration in it.

  Raises:
    WorkFolderError: the folder cannot be written, or an earlier run in it had another configuration.
  """
  try:
    os.makedirs(work_dir, exist_ok=True)
    with tempfile.TemporaryFile(dir=work_dir):
      pass
  except OSError as error:
    raise WorkFolderError(
      f"The work folder {work_dir!r} cannot be written: {error.strerror}."
    ) from error
  path = os.path.join(work_dir, CONFIG)
  if os.path.exists(path):
    with open(path, encoding="utf-8") as file:
      change = _first_difference(file.read(), config_text)
    if change:
      raise WorkFolderError(
        f"The work folder {work_dir!r} belongs to another configuration: {change}. Choose another --work_dir, or delete it."
      )
  write_atomically(path, config_text)


def write_atomically(path: str, text: str) -> None:
  """Writes a text file so that readers see the old one or the new one."""
  temporary = f"{path}.tmp-{socket.gethostname()}-{os.getpid()}"
  with open(temporary, "w", encoding="utf-8") as file:
    file.write(text)
  os.replace(temporary, path)


def _first_difference(old: str, new: str) -> str | None:
  def relevant(text):
    text = re.sub(r"\\\n\s*", "", text)  # gin breaks long lines
    return [
      line
      for line in text.splitlines()
      if line.strip() and not line.startswith("#") and not _MAY_CHANGE.search(line)
    ]

  changes = [d for d in difflib.ndiff(relevant(old), relevant(new)) if d[0] in "+-"]
  if not changes:
    return None
  was = next((d[2:] for d in changes if d[0] == "-"), "nothing")
  now = next((d[2:] for d in changes if d[0] == "+"), "nothing")
  return f"it has `{was.strip()}` where this run has `{now.strip()}`"
