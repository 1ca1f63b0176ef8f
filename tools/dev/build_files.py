"""Writes or checks the BUILD files, which follow from the imports of the sources.

  python3 tools/dev/build_files.py --write
  python3 tools/dev/build_files.py --check

Rules of one source each, deps from the imports, visibility from the order of the layers
(tools/dev/layers.py). What imports cannot say stands in the source, as a comment
(tools/dev/source_tree.py):

  # bazel: size=large, shard_count=2, data=//gin:experiments

Needs Python 3.10 or newer and nothing else. Ends with 1 if anything is wrong.
"""

import argparse
import pathlib
import sys

_ROOT = pathlib.Path(__file__).absolute().parents[2]
sys.path.insert(0, str(_ROOT))

from tools.dev import build_graph  # noqa: E402


def _stale(root: pathlib.Path, files: dict[str, str]) -> list[pathlib.Path]:
  """Returns BUILD files that were made once and belong to no folder with Python files now."""
  tops = {path.split("/")[0] for path in files}
  found = [path for top in sorted(tops) for path in sorted((root / top).rglob("BUILD"))]
  return [
    path
    for path in found
    if str(path.relative_to(root)) not in files
    and path.is_file()
    and build_graph.is_made(path.read_text(encoding="utf-8"))
  ]


def write(root: pathlib.Path, files: dict[str, str]) -> list[str]:
  """Brings the BUILD files up to date and returns the paths that changed."""
  changed = []
  for name, text in files.items():
    path = root / name
    if not path.exists() or path.read_text(encoding="utf-8") != text:
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(text, encoding="utf-8")
      changed.append(name)
  for path in _stale(root, files):
    path.unlink()
    changed.append(f"{path.relative_to(root)} (removed)")
  return changed


def check(root: pathlib.Path, files: dict[str, str]) -> list[str]:
  """Returns the paths of BUILD files that are missing, out of date or left over."""
  names = [n for n, t in files.items() if not (root / n).exists() or (root / n).read_text() != t]
  return names + [str(path.relative_to(root)) for path in _stale(root, files)]


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  mode = parser.add_mutually_exclusive_group(required=True)
  mode.add_argument("--write", action="store_true", help="bring the BUILD files up to date")
  mode.add_argument("--check", action="store_true", help="say which BUILD files are out of date")
  arguments = parser.parse_args()
  graph = build_graph.build_graph(_ROOT)
  for error in graph.errors:
    print(f"ERROR: {error}", file=sys.stderr)
  if arguments.write:
    for name in write(_ROOT, graph.files):
      print(f"wrote {name}")
    sys.exit(bool(graph.errors))
  outdated = check(_ROOT, graph.files)
  for name in outdated:
    print(f"ERROR: {name} is out of date: run tools/dev/build_files.py --write", file=sys.stderr)
  sys.exit(bool(graph.errors or outdated))


if __name__ == "__main__":
  main()
