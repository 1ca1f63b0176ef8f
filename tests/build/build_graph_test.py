"""Tests of the BUILD files' generator on small trees."""

import pathlib

from absl.testing import absltest, parameterized

from tools.dev import build_graph, layers, source_tree

_MAIN = 'if __name__ == "__main__":\n  pass\n'


class BuildGraphTest(parameterized.TestCase):
  def _tree(self, files: dict[str, str]) -> pathlib.Path:
    root = pathlib.Path(self.create_tempdir().full_path)
    for name, text in {"requirements.in": "gin-config==0.5.0\nnumpy\n", **files}.items():
      (root / name).parent.mkdir(parents=True, exist_ok=True)
      (root / name).write_text(text)
    return root

  def _build(self, files: dict[str, str]) -> build_graph.Graph:
    return build_graph.build_graph(self._tree(files))

  def test_library_gets_its_imports_as_deps(self):
    graph = self._build(
      {
        "tf_taskology/geometry/cameras.py": "import os\nimport numpy as np\n",
        "tf_taskology/geometry/warping.py": "from tf_taskology.geometry import cameras\nimport gin\n",
      }
    )
    self.assertEmpty(graph.errors)
    self.assertIn(
      "py_library(\n"
      '    name = "warping",\n'
      '    srcs = ["warping.py"],\n'
      "    deps = [\n"
      '        ":cameras",\n'
      '        "//tools/bazel/pip:gin-config",\n'
      "    ],\n"
      ")\n",
      graph.files["tf_taskology/geometry/BUILD"],
    )

  def test_kind_follows_from_main_and_name(self):
    graph = self._build({"tests/a/b_test.py": _MAIN, "tests/a/c.py": "", "tests/a/d.py": _MAIN})
    text = graph.files["tests/a/BUILD"]
    for start in ('py_test(\n    name = "b_test"', 'py_library(\n    name = "c"'):
      self.assertIn(start, text)
    self.assertIn('py_binary(\n    name = "d"', text)
    self.assertIn("default_testonly = True", text)

  def test_directives_become_attributes(self):
    lines = (
      "# bazel: size=large, shard_count=2, data=//gin:files :goldens_files\n# bazel: deps=//x:y\n"
    )
    graph = self._build({"tests/a/b_test.py": lines + _MAIN, "tests/a/goldens/b.txt": "1"})
    text = graph.files["tests/a/BUILD"]
    for part in (
      'size = "large",',
      "shard_count = 2,",
      '        ":goldens_files",\n        "//gin:files",\n',
      'deps = ["//x:y"],',
      'name = "goldens_files",\n    srcs = glob(["goldens/**"]),',
    ):
      self.assertIn(part, text)

  @parameterized.named_parameters(
    ("unknown_key", "# bazel: sise=large\n", "tests/a/b.py:1: bad directive 'sise=large'"),
    ("no_value", "\n# bazel: large\n", "tests/a/b.py:2: bad directive 'large'"),
    ("no_number", "# bazel: shard_count=two\n", "bad directive 'shard_count=two'"),
  )
  def test_bad_directive_is_an_error(self, text, message):
    graph = self._build({"tests/a/b.py": text})
    self.assertIn(message, "\n".join(graph.errors))

  def test_half_written_file_is_reported_and_left_out(self):
    graph = self._build({"tests/a/b.py": "def f(:\n", "tests/a/c.py": ""})
    self.assertIn("tests/a/b.py:1: ", graph.errors[0])
    self.assertIn('name = "c"', graph.files["tests/a/BUILD"])
    self.assertNotIn('name = "b"', graph.files["tests/a/BUILD"])

  def test_import_from_nowhere_is_an_error(self):
    graph = self._build({"tests/a/b.py": "import os\nfrom tf_taskology.tasks import none\n"})
    self.assertEqual(
      graph.errors,
      ("tests/a/b.py:2: tf_taskology.tasks.none is neither in this tree nor in requirements.in",),
    )

  def test_relative_import_is_an_error(self):
    graph = self._build({"tests/a/b.py": "from . import c\n", "tests/a/c.py": ""})
    self.assertIn("tests/a/b.py:1: relative import", graph.errors[0])

  def test_gin_experiments_depend_on_what_they_import(self):
    graph = self._build(
      {
        "gin/a.gin": "from __gin__ import dynamic_registration\nfrom tf_taskology.tasks import depth\n",
        "tf_taskology/tasks/depth.py": "",
      }
    )
    self.assertEmpty(graph.errors)
    self.assertIn('deps = ["//tf_taskology/tasks:depth"]', graph.files["gin/BUILD"])


class LayersTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("upward", "tf_taskology.geometry.a", "tf_taskology.tasks.b"),
    ("library_to_program", "tf_taskology.training.a", "tf_taskology.train"),
    ("serving_to_trainer", "serving.a", "tf_taskology.peers.b"),
    ("trainer_to_serving", "tf_taskology.peers.b", "serving.a"),
    ("code_to_tests", "tf_taskology.peers.b", "tests.peers.b_test"),
    ("unknown_layer", "tf_taskology.misc.a", "tf_taskology.tasks.b"),
  )
  def test_wrong_direction_is_found(self, importer, imported):
    self.assertLen(layers.violations({importer: {imported}}), 1)

  @parameterized.named_parameters(
    ("downward", "tf_taskology.tasks.a", "tf_taskology.geometry.b"),
    ("within_a_layer", "tf_taskology.networks.multitask.a", "tf_taskology.networks.b"),
    ("program", "tf_taskology.train", "tf_taskology.training.b"),
    ("test", "tests.serving.a_test", "serving.b"),
  )
  def test_right_direction_is_allowed(self, importer, imported):
    self.assertEmpty(layers.violations({importer: {imported}}))

  def test_circle_is_found_with_its_members(self):
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}
    self.assertEqual(layers.circle(edges), ["b", "c", "b"])

  def test_chain_is_no_circle(self):
    self.assertEmpty(layers.circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}))

  def test_layers_form_no_circle(self):
    edges = {layer: set(layers.importers(layer)) for layer in layers.layers()}
    self.assertEmpty(layers.circle(edges))

  def test_visibility_names_those_who_may_import(self):
    self.assertIn("datasets", layers.importers("geometry"))
    self.assertNotIn("geometry", layers.importers("tasks"))


class ImportsOfTextTest(absltest.TestCase):
  def test_imports_inside_functions_count(self):
    found = source_tree.parse_imports("def f():\n  from a.b import c\n", "x.py")
    self.assertEqual(found, (source_tree.Import("a.b", "c", 2),))


if __name__ == "__main__":
  absltest.main()
