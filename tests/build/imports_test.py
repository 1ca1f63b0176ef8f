"""Compares every import of the project with the deps of its rule and with the order of the layers."""

# bazel: data=:all_trees

import ast
import functools
import pathlib

from absl.testing import absltest

from tools.dev import build_graph, layers, source_tree

_ROOT = pathlib.Path(__file__).parents[2]


@functools.cache
def _rules(build_file: pathlib.Path) -> dict[str, dict]:
  """Returns {name: attributes} of the rules in a BUILD file whose values are plain literals."""
  rules = {}
  for call in ast.walk(ast.parse(build_file.read_text())):
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
      values = {k.arg: k.value for k in call.keywords}
      literals = {k: ast.literal_eval(v) for k, v in values.items() if not isinstance(v, ast.Call)}
      if "name" in literals:
        rules[literals["name"]] = literals
  return rules


def _full(label: str, package: str) -> str:
  return f"//{package}{label}" if label.startswith(":") else label


class ImportsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.tree = source_tree.read_tree(_ROOT)
    cls.edges = layers.import_edges(cls.tree)

  def test_tree_holds_the_project(self):
    for module in ("tf_taskology.geometry.cameras", "tools.dev.layers", "tests.build.imports_test"):
      self.assertIn(module, self.tree.sources)

  def test_build_files_are_those_that_the_sources_ask_for(self):
    graph = build_graph.build_graph(_ROOT)
    self.assertEmpty(graph.errors)
    for name, text in graph.files.items():
      if not name.startswith("tools/bazel/"):
        with self.subTest(name):
          self.assertEqual((_ROOT / name).read_text(), text, "run tools/dev/build_files.py --write")

  def test_deps_are_the_imports(self):
    for module, source in self.tree.sources.items():
      with self.subTest(module):
        rule = _rules(_ROOT / source.package / "BUILD")[source.path.stem]
        deps = {_full(label, source.package) for label in rule.get("deps", ())}
        own = {label for label in deps if not label.startswith("//tools/bazel/pip:")}
        declared = {_full(label, source.package) for label in source.directives.get("deps", ())}
        imported = {self.tree.sources[name].label for name in self.edges[module]}
        self.assertEmpty(imported - own, "imported, but no dep")
        self.assertEmpty(own - imported - declared, "a dep, but not imported")

  def test_imports_follow_the_order_of_the_layers(self):
    self.assertEmpty(layers.violations(self.edges))

  def test_imports_make_no_circle(self):
    self.assertEmpty(layers.circle(self.edges))

  def test_gin_folder_does_not_hide_the_package_gin(self):
    self.assertEmpty([str(path) for path in self.tree.files if path.name == "__init__.py"])


if __name__ == "__main__":
  absltest.main()
