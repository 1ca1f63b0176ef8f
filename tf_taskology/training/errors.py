"""Errors that end a training for good."""

import re


class TrainingFailed(RuntimeError):
  """Training cannot go on, and starting it again would not help."""


def not_finite(text: str, sentence: str, checkpoints_dir: str) -> str:
  """What to tell people of a loss that is not a number.

  Args:
    text: TensorFlow's error, which holds our own sentence amid its own.
    sentence: how ours begins.
    checkpoints_dir: where the state before lies.
  """
  found = re.search(re.escape(sentence) + r".*?(?=\n\s*\[\[|\Z)", text, re.DOTALL)
  detail = " ".join((found.group(0) if found else text).split())
  return (
    f"{detail[:1500]} No weights were changed by this batch; "
    f"the last good checkpoint is kept in {checkpoints_dir}."
  )
