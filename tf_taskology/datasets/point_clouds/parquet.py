"""Reads Parquet files by columns, with errors that name file and column."""

import importlib
from collections.abc import Sequence
from typing import Any


def read(
  path: str,
  columns: Sequence[str],
  optional: Sequence[str] = (),
  filters: Sequence[tuple[str, str, Any]] = (),
) -> dict[str, Any]:
  """Some columns of a file.

  Args:
    path: of the file.
    columns: that it must have.
    optional: columns that it may have.
    filters: (column, "==" or "in", value) that rows must all fulfil; groups of rows that cannot are not read.

  Returns:
    Column name -> `pyarrow.ChunkedArray`; optional ones that are missing are left out.

  Raises:
    ImportError: pyarrow is not installed, or not fit for this NumPy.
    ValueError: the file cannot be read, or lacks a column.
  """
  library = _library()
  try:
    known = library.read_schema(path).names
    missing = [name for name in columns if name not in known]
    if missing:
      raise ValueError(f"{path!r} lacks the columns {missing}. It has: {known}.")
    wanted = [*columns, *(name for name in optional if name in known)]
    table = library.read_table(path, columns=wanted, filters=list(filters) or None)
  except (
    OSError
  ) as error:  # ArrowInvalid of damaged files is a ValueError already, without the name
    raise ValueError(f"Cannot read {path!r}: {error}.") from error
  except ValueError as error:
    if path in str(error):
      raise
    raise ValueError(f"Cannot read {path!r}: {error}.") from error
  return {name: table.column(name) for name in wanted}


def _library():
  """Heavy, and needed for this kind of files alone; so it is no requirement of the rest."""
  try:
    return importlib.import_module("pyarrow.parquet")
  except ImportError as error:
    raise ImportError(
      "Parquet files need the package pyarrow before 26 (26 and later need NumPy 2): pip install 'pyarrow<26'. "
      f"{error}"
    ) from error
