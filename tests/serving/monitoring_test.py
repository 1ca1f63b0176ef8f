import contextlib
import io

from absl.testing import absltest, parameterized

from serving import errors, lazy_tensorflow

lazy_tensorflow.install()

from serving import monitoring  # noqa: E402


class MonitoringTest(parameterized.TestCase):
  def _read(self, text):
    return monitoring.read(self.create_tempfile(content=text).full_path)

  @parameterized.parameters(
    ('prometheus_config { enable: true path: "/m" }', "/m"),
    ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
    ("prometheus_config { enable: true, }  # comment", "/monitoring/prometheus/metrics"),
    ('prometheus_config { path: "/m" }', None),
    ("", None),
  )
  def test_reads(self, text, path):
    self.assertEqual(self._read(text), path)

  def test_says_what_is_wrong(self):
    printed = io.StringIO()
    with (
      contextlib.redirect_stderr(printed),
      self.assertRaisesRegex(errors.StatusError, "INVALID_ARGUMENT: Invalid protobuf file: '"),
    ):
      self._read("prometheus { }")
    kind = "tensorflow.serving.MonitoringConfig"
    self.assertIn(f"Error parsing text-format {kind}: ", printed.getvalue())
    with self.assertRaisesRegex(errors.StatusError, "NOT_FOUND: /nope; No such file"):
      monitoring.read("/nope")
    with self.assertRaisesRegex(errors.StatusError, "path is 'm', but a URL's path begins with /"):
      self._read('prometheus_config { enable: true path: "m" }')


if __name__ == "__main__":
  absltest.main()
