"""Works out every BUILD file of the project from the source tree: rules, deps and visibility."""

import dataclasses
import pathlib
import re
import sys

from tools.dev import layers, source_tree, starlark

_HEADER = "# Made by tools/dev/build_files.py from the sources; directives in them say the rest.\n"
_PIP = "tools/bazel/pip"
# Packages whose import name is not their own name with "_" for "-".
_DISTRIBUTIONS = {
  "PIL": "pillow",
  "absl": "absl-py",
  "gin": "gin-config",
  "google.protobuf": "protobuf",
  "grpc": "grpcio",
  "grpc_reflection": "grpcio-reflection",
  "pkg_resources": "setuptools",
  "tensorflow_serving": "tensorflow-serving-api",
  "yaml": "pyyaml",
}
_RULES = {"library": "py_library", "binary": "py_binary", "test": "py_test"}
# The test that compares the tree with its BUILD files reads all of it.
_TREE_TEST_PACKAGE = "tests/build"
_EVERYWHERE = ["//tests:__subpackages__", "//tools:__subpackages__"]


@dataclasses.dataclass(frozen=True)
class Graph:
  """The BUILD files that the tree asks for (path -> content), and what is wrong with the tree."""

  files: dict[str, str]
  errors: tuple[str, ...]


def read_requirements(root: pathlib.Path) -> tuple[str, ...]:
  """Returns the names in requirements.in, the only packages that the project may import."""
  lines = (root / "requirements.in").read_text(encoding="utf-8").splitlines()
  names = [re.match(r"[A-Za-z0-9._-]+", line) for line in lines]
  return tuple(sorted({match[0].lower() for match in names if match}))


def _third_party(module: str, requirements) -> str | None:
  """Returns the name of the package in requirements.in that a module comes from, if there is one."""
  name = module.split(".")[0].replace("_", "-").lower()
  for prefix, distribution in _DISTRIBUTIONS.items():
    if f"{module}.".startswith(f"{prefix}."):
      name = distribution
  return name if name in requirements else None


def _dep(tree, requirements, path, found) -> tuple[str | None, str | None]:
  """Returns (label, None) for an import, (None, None) for Python's own, or (None, error)."""
  source = layers.resolve(tree, found)
  if source:
    return source.label, None
  if found.module.split(".")[0] in sys.stdlib_module_names:
    return None, None
  full = f"{found.module}.{found.name}" if found.name else found.module
  name = _third_party(full, requirements)
  if name:
    return f"//{_PIP}:{name}", None
  return None, f"{path}:{found.line}: {full} is neither in this tree nor in requirements.in"


def _sorted_labels(labels, package):
  """Returns labels in buildifier's order, those of the same package shortened."""
  here = f"//{package}:"
  local = {label[len(here) - 1 :] if label.startswith(here) else label for label in labels}
  return sorted(local, key=lambda label: (label.startswith("//"), label))


def _source_rule(tree, requirements, source) -> tuple[str, list[str]]:
  """Returns (the rule of one Python file, errors)."""
  found = [_dep(tree, requirements, source.path, item) for item in source.imports]
  deps = {label for label, _ in found if label} - {source.label}
  attributes = {
    **source.directives,
    "name": source.path.stem,
    "srcs": [source.path.name],
    "data": _sorted_labels(source.directives.get("data", ()), source.package),
    "deps": _sorted_labels(deps | set(source.directives.get("deps", ())), source.package),
  }
  return starlark.call(_RULES[source.kind], attributes), [error for _, error in found if error]


def _visibility(package: str) -> list[str]:
  parts = package.split("/")
  if parts[0] == "tests":
    return ["//tests:__subpackages__"]
  if parts[0] == "serving":
    # The programs start the model server as a process; that nobody imports it, layers.py sees to.
    return ["//serving:__subpackages__", *_EVERYWHERE, "//tf_taskology:__pkg__"]
  if parts[0] == "tf_taskology" and len(parts) > 1:
    return [f"//tf_taskology:may_import_{parts[1]}"]
  return _EVERYWHERE


def _data_rules(tree, package: str, packages) -> str:
  """Exports the package's own data files; a filegroup `x_files` for every subfolder x without code."""
  modules = {path.with_suffix("") for path in tree.files if path.suffix == ".py"}
  folders, loose = set(), []
  for path in tree.files:
    owner = next((str(p) for p in path.parents if str(p) in packages), None)
    # In the files of a test, a program's launcher lies beside its source, named without ".py".
    if owner != package or path.suffix in (".py", ".md") or path.name == "BUILD" or path in modules:
      continue
    inside = path.relative_to(package)
    if len(inside.parts) > 1:
      folders.add(inside.parts[0])
    else:
      loose.append(path.name)
  text = starlark.call_with_list("exports_files", loose)
  for folder in sorted(folders):
    files = starlark.Glob((f"{folder}/**",))
    text += starlark.call("filegroup", {"name": f"{folder}_files", "srcs": files})
  return text


def _tree_rule() -> str:
  """Returns the filegroup of everything in a package, for the test that reads the whole tree."""
  attributes = {
    "name": "tree",
    "srcs": starlark.Glob(("**",), ("**/__pycache__/**",)),
    "visibility": [f"//{_TREE_TEST_PACKAGE}:__pkg__"],
  }
  return starlark.call("filegroup", attributes)


def _all_trees_rule(packages) -> str:
  labels = _sorted_labels([f"//{package}:tree" for package in packages], _TREE_TEST_PACKAGE)
  attributes = {"name": "all_trees", "srcs": ["//:requirements.in", *labels]}
  return starlark.call("filegroup", attributes)


def _package_file(tree, requirements, package: str, packages) -> tuple[str, list[str]]:
  """Returns (the BUILD file of a folder with Python files, errors)."""
  sources = sorted(s.path.name for s in tree.sources.values() if s.package == package)
  by_name = {s.path.name: s for s in tree.sources.values() if s.package == package}
  rules, errors = "", []
  for name in sources:
    rule, problems = _source_rule(tree, requirements, by_name[name])
    rules += rule
    errors += problems
  text = _HEADER
  if by_name:
    loads = sorted({_RULES[source.kind] for source in by_name.values()})
    quoted = ", ".join(f'"{name}"' for name in loads)
    text += f'load("//tools/bazel:python.bzl", {quoted})\n'
  text += starlark.package(_visibility(package), testonly=package.split("/")[0] == "tests")
  if package == "tf_taskology":
    text += "".join(_layer_groups())
  text += rules + _data_rules(tree, package, packages) + _tree_rule()
  if package == _TREE_TEST_PACKAGE:
    text += _all_trees_rule(packages)
  return text, errors


def _layer_groups():
  """Yields, for every layer, the package_group of those who may import it."""
  for layer in layers.layers():
    above = [f"//tf_taskology/{name}/..." for name in (layer, *layers.importers(layer))]
    members = ["//gin", "//tests/...", "//tf_taskology", *above, "//tools/..."]
    if layer == "training":
      # What writes manifests has a gin file read by a process; that it imports nothing, layers.py sees to.
      members.append("//serving/...")
    yield starlark.call(
      "package_group", {"name": f"may_import_{layer}", "packages": sorted(members)}
    )


def _gin_file(tree, requirements) -> tuple[str, list[str]]:
  """Returns (gin/BUILD, errors): the experiments with every module that they import."""
  found = [_dep(tree, requirements, path, item) for path, item in tree.gin_imports]
  text = _HEADER + 'load("//tools/bazel:python.bzl", "py_library")\n'
  text += starlark.package(["//visibility:public"], testonly=False)
  text += "\n# The gin files alone.\n"
  files = {"name": "files", "srcs": starlark.Glob(("**/*.gin",))}
  text += starlark.call("filegroup", files).lstrip("\n")
  text += "\n# The gin files with all modules that they import, for what parses and builds them.\n"
  deps = _sorted_labels({label for label, _ in found if label}, "gin")
  experiments = {"name": "experiments", "data": [":files"], "deps": deps}
  text += starlark.call("py_library", experiments).lstrip("\n") + _tree_rule()
  return text, [error for _, error in found if error]


def _pip_file(requirements) -> str:
  text = _HEADER.replace("the sources; directives in them say the rest", "requirements.in")
  text += "# The environment of @python_env holds the packages; these names are for deps.\n"
  text += 'load("//tools/bazel:python.bzl", "py_library")\n'
  text += starlark.package(["//visibility:public"], testonly=False)
  return text + "".join(starlark.call("py_library", {"name": name}) for name in requirements)


def build_graph(root: pathlib.Path) -> Graph:
  """Returns all BUILD files that the tree below `root` asks for, and every error in its imports."""
  tree = source_tree.read_tree(root)
  requirements = read_requirements(root)
  errors = list(tree.errors)
  packages = {str(path.parent) for path in tree.files if path.suffix == ".py"}
  packages |= {"gin"} if any(path.suffix == ".gin" for path in tree.files) else set()
  packages |= {"tf_taskology"} if any(p.startswith("tf_taskology/") for p in packages) else set()
  files = {f"{_PIP}/BUILD": _pip_file(requirements)}
  for package in sorted(packages):
    if package == "gin":
      text, problems = _gin_file(tree, requirements)
    else:
      text, problems = _package_file(tree, requirements, package, sorted(packages))
    files[f"{package}/BUILD"] = text
    errors += problems
  edges = layers.import_edges(tree)
  errors += layers.violations(edges)
  circle = layers.circle(edges)
  errors += ["imports in a circle: " + " -> ".join(circle)] if circle else []
  return Graph(files, tuple(errors))


def is_made(text: str) -> bool:
  """Whether a BUILD file was made by this program and not by hand."""
  return text.startswith(_HEADER[:40])
