"""Writes BUILD files as buildifier would."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Glob:
  """The files that match patterns, as the value of an attribute."""

  include: tuple[str, ...]
  exclude: tuple[str, ...] = ()

  def __str__(self) -> str:
    text = _literal(self.include, "    ")
    return (
      f"glob({text}, exclude = {_literal(self.exclude, '    ')})"
      if self.exclude
      else f"glob({text})"
    )


_ORDER = (
  "name",
  "size",
  "timeout",
  "srcs",
  "args",
  "data",
  "env",
  "flaky",
  "shard_count",
  "tags",
  "visibility",
  "packages",
  "deps",
)


def _literal(value, indent: str) -> str:
  if isinstance(value, str):
    return f'"{value}"'
  if isinstance(value, dict):
    items = [f'"{key}": "{item}"' for key, item in sorted(value.items())]
  elif isinstance(value, list | tuple):
    items = [_literal(item, indent) for item in value]
  else:
    return str(value)
  opening, closing = "{}" if isinstance(value, dict) else "[]"
  if len(items) == 1:
    return opening + items[0] + closing
  return f"{opening}\n" + "".join(f"{indent}    {item},\n" for item in items) + indent + closing


def call(function: str, attributes: dict) -> str:
  """Returns a rule with its attributes in the usual order, those without a value left out."""
  keys = sorted((k for k, v in attributes.items() if v not in ([], (), {}, None)), key=_ORDER.index)
  lines = [f"    {key} = {_literal(attributes[key], '    ')},\n" for key in keys]
  if len(lines) == 1 and lines[0].count("\n") == 1:
    return f"\n{function}({lines[0].strip()[:-1]})\n"
  return f"\n{function}(\n{''.join(lines)})\n"


def call_with_list(function: str, items) -> str:
  """Returns a call whose one argument is a list, such as exports_files; "" for an empty list."""
  return f"\n{function}({_literal(items, '')})\n" if items else ""


def package(visibility: list[str], testonly: bool) -> str:
  """Returns the `package` line of a BUILD file."""
  lines = ["    default_testonly = True,\n"] if testonly else []
  lines.append(f"    default_visibility = {_literal(visibility, '    ')},\n")
  if len(lines) == len(visibility) == 1:
    return f"\npackage({lines[0].strip().rstrip(',')})\n"
  return f"\npackage(\n{''.join(lines)})\n"
