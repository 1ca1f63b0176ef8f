"""What programs that read an experiment's gin files in a process of their own leave behind."""

from collections.abc import Callable

from tf_taskology.training import supervision


def answer(result_path: str, make: Callable[[], str]) -> int:
  """Writes what `make` returns to a file, or what is wrong with the configuration as plain text.

  Returns:
    The exit code: 0, or 2 if `make` raised a ValueError, for the configuration cannot be used.
  """
  try:
    text, exit_code = make(), 0
  except ValueError as error:
    text, exit_code = str(error), supervision.EXIT_CONFIGURATION
  with open(result_path, "w", encoding="utf-8") as file:
    file.write(text)
  return exit_code
