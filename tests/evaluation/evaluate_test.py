"""Tests of the evaluation program."""

import contextlib
import io
import types
from unittest import mock

import tensorflow as tf
from absl.testing import flagsaver

from tests.evaluation import paper_walls
from tf_taskology import evaluate as program
from tf_taskology.evaluation import normals_protocol, spec
from tf_taskology.training import config


class EvaluateTest(tf.test.TestCase):
  def _main(self, parse=None, **flags):
    """Runs the program on one evaluation, "walls", of every run; returns what it printed and the parsed files."""
    walls = spec.EvaluationSpec(
      "walls", paper_walls.source(2), protocols=[normals_protocol.NormalsProtocol()]
    )
    parse = parse or mock.Mock(return_value=types.SimpleNamespace(evaluation=[walls]))
    printed = io.StringIO()
    with (
      mock.patch.object(config, "parse", parse),
      contextlib.redirect_stdout(printed),
      flagsaver.flagsaver(**flags),
    ):
      program.main(["evaluate"])
    return printed.getvalue(), parse

  def test_two_runs(self):
    first, second = (self.create_tempdir(name).full_path for name in ("first", "second"))
    paper_walls.publish(first, normals_degrees=20.0, modules=["normals"])
    paper_walls.publish(second, normals_degrees=12.0, modules=["normals"])
    text, parse = self._main(work_dir=[first, second], max_samples=1)
    self.assertRegex(text, r"mean angle \(°\) ↓ +20.00 +12.00 +-8.00 \(40.0% better\)")
    self.assertRegex(text, r"first +second +difference")
    self.assertEqual(
      [c.args[0] for c in parse.call_args_list], [[f"{first}/config.gin"], [f"{second}/config.gin"]]
    )

  def test_markdown_of_another_configuration(self):
    work_dir = self.create_tempdir().full_path
    paper_walls.publish(work_dir, normals_degrees=20.0, modules=["normals"])
    text, parse = self._main(
      work_dir=[work_dir],
      gin_file=["a.gin"],
      gin_binding=["B = 1"],
      format="markdown",
      split="train",
    )
    self.assertIn("| mean angle (°) ↓ | 20.00 |", text)
    self.assertIn("walls (train)", text)
    parse.assert_called_once_with(["a.gin"], ["B = 1"])

  def test_errors_are_one_sentence(self):
    work_dir = self.create_tempdir().full_path
    with self.assertRaisesRegex(SystemExit, "Cannot evaluate: No published model in"):
      self._main(work_dir=[work_dir])
    with self.assertRaisesRegex(SystemExit, "no evaluation 'doors'"):
      self._main(work_dir=[work_dir], dataset=["doors"])


if __name__ == "__main__":
  tf.test.main()
