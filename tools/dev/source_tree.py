"""Reads the source tree: every Python file with its kind, its imports and its Bazel directives.

A directive is a comment of its own line in the source file, for what imports cannot say:

  # bazel: size=large, shard_count=2, tags=exclusive, data=//gin:files :goldens_files
  # bazel: deps=//serving:model_server

Keys that take a list (args, data, deps, tags, visibility) split it at spaces, and may come twice;
env takes NAME:value.
"""

import ast
import dataclasses
import os
import pathlib
import re

_DIRECTIVE = re.compile(r"^# bazel: *(.*)$", re.MULTILINE)
_LIST_KEYS = ("args", "data", "deps", "tags", "visibility")
_SKIPPED = re.compile(r"(\..*|bazel-.*|__pycache__|external|taskology_runs|tools/bazel)")


class SourceError(Exception):
  """A source file that cannot be read as the build needs; the text names file and line."""


@dataclasses.dataclass(frozen=True)
class Import:
  """One imported name: `from a.b import c` is module "a.b", name "c"; `import a.b` has no name."""

  module: str
  name: str | None
  line: int


@dataclasses.dataclass(frozen=True)
class Source:
  """One Python file. `path` is relative to the tree's root, `kind` one of library, binary, test."""

  path: pathlib.PurePosixPath
  kind: str
  imports: tuple[Import, ...]
  directives: dict[str, object]

  @property
  def package(self) -> str:
    return str(self.path.parent)

  @property
  def label(self) -> str:
    return f"//{self.package}:{self.path.stem}"

  @property
  def module(self) -> str:
    return ".".join(self.path.with_suffix("").parts)


@dataclasses.dataclass(frozen=True)
class Tree:
  """The whole tree. `files` are all files below the root's folders that hold Python or gin files."""

  sources: dict[str, Source]  # by module name, "tf_taskology.geometry.cameras"
  files: tuple[pathlib.PurePosixPath, ...]
  gin_imports: tuple[tuple[pathlib.PurePosixPath, Import], ...]
  errors: tuple[str, ...]


def parse_imports(text: str, path) -> tuple[Import, ...]:
  """Returns every import of a Python text, those inside functions too.

  Raises:
    SourceError: the text is not Python, or it imports relative to its own package.
  """
  try:
    nodes = list(ast.walk(ast.parse(text)))
  except SyntaxError as error:
    raise SourceError(f"{path}:{error.lineno}: {error.msg}") from error
  found = []
  for node in nodes:
    if isinstance(node, ast.Import):
      found += [Import(alias.name, None, node.lineno) for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      if node.level:
        raise SourceError(f"{path}:{node.lineno}: relative import; name the module in full")
      found += [Import(node.module, alias.name, node.lineno) for alias in node.names]
  return tuple(found)


def parse_directives(text: str, path) -> dict[str, object]:
  """Returns the attributes that the `# bazel:` comments of a file give to its rule.

  Raises:
    SourceError: an unknown key, or a value of the wrong kind.
  """
  attributes: dict[str, object] = {}
  for match in _DIRECTIVE.finditer(text):
    line = text.count("\n", 0, match.start()) + 1
    for entry in filter(None, (part.strip() for part in match[1].split(","))):
      key, equals, value = entry.partition("=")
      try:
        if not equals:
          raise ValueError("no '='")
        _add_attribute(attributes, key, value)
      except ValueError as error:
        raise SourceError(f"{path}:{line}: bad directive {entry!r}: {error}") from error
  return attributes


def _add_attribute(attributes, key, value):
  if key in _LIST_KEYS:
    attributes.setdefault(key, []).extend(value.split())
  elif key == "env":
    name, _, content = value.partition(":")
    attributes.setdefault("env", {})[name] = content
  elif key == "shard_count":
    attributes[key] = int(value)
  elif key == "flaky":
    if value not in ("true", "false"):
      raise ValueError("expected true or false")
    attributes[key] = value == "true"
  elif key in ("size", "timeout"):
    attributes[key] = value
  else:
    raise ValueError("expected size, timeout, shard_count, flaky, env or " + ", ".join(_LIST_KEYS))


def _has_main(text: str) -> bool:
  return bool(re.search(r"^if __name__ == [\"']__main__[\"']:", text, re.MULTILINE))


def read_source(root: pathlib.Path, path: pathlib.PurePosixPath) -> Source:
  """Reads one Python file of the tree.

  Raises:
    SourceError: see `parse_imports` and `parse_directives`; or a test that runs nothing.
  """
  text = (root / path).read_text(encoding="utf-8")
  is_test = path.parts[0] == "tests" and path.stem.endswith("_test")
  if is_test and not _has_main(text):
    raise SourceError(f'{path}:1: a test without `if __name__ == "__main__"` runs nothing')
  kind = "test" if is_test else "binary" if _has_main(text) else "library"
  return Source(path, kind, parse_imports(text, path), parse_directives(text, path))


def _walk(root: pathlib.Path):
  """Yields the paths of all files below the root's folders, in order, relative to the root."""
  for folder, names, files in os.walk(root):
    relative = pathlib.PurePosixPath(os.path.relpath(folder, root))
    names[:] = sorted(
      n for n in names if not _SKIPPED.fullmatch(n) and not _SKIPPED.fullmatch(str(relative / n))
    )
    if relative.parts:
      yield from (relative / name for name in sorted(files) if not name.endswith(".pyc"))


def _read_gin(root, path):
  """Yields the imports of a gin file that registers dynamically, in Python's own syntax."""
  for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), 1):
    if re.match(r"(import|from) ", line) and "__gin__" not in line:
      for found in parse_imports(line, f"{path}:{number}"):
        yield path, dataclasses.replace(found, line=number)


def read_tree(root: pathlib.Path) -> Tree:
  """Reads the tree; files that cannot be read are left out and reported in `errors`."""
  files = list(_walk(root))
  python_folders = {path.parts[0] for path in files if path.suffix == ".py"} | {"gin"}
  files = [path for path in files if path.parts[0] in python_folders]
  sources, gin_imports, errors = {}, [], []
  for path in files:
    try:
      if path.suffix == ".py":
        source = read_source(root, path)
        sources[source.module] = source
      elif path.suffix == ".gin" and path.parts[0] == "gin":
        gin_imports += _read_gin(root, path)
    except (SourceError, FileNotFoundError, UnicodeDecodeError) as error:
      errors.append(str(error))
  return Tree(sources, tuple(files), tuple(gin_imports), tuple(errors))
