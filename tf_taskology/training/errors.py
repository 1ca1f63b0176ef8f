"""Errors that end a training for good."""


class TrainingFailed(RuntimeError):
  """Training cannot go on, and starting it again would not help."""
