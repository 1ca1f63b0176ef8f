# bazel: size=medium, deps=//serving:lazy_tensorflow //serving:tf_library

import subprocess
import sys
import textwrap

from absl.testing import absltest


def _run(program):
  """Runs Python text in a fresh interpreter."""
  done = subprocess.run(
    [sys.executable, "-c", textwrap.dedent(program)],
    env={"PYTHONPATH": ":".join(filter(None, sys.path)), "TF_CPP_MIN_LOG_LEVEL": "3"},
    capture_output=True,
    text=True,
    timeout=120,
  )
  if done.returncode:
    raise AssertionError(done.stderr)


class LazyTensorflowTest(absltest.TestCase):
  def test_messages_come_without_the_python_library(self):
    _run("""
      import sys
      from serving import lazy_tensorflow
      lazy_tensorflow.install()
      from tensorflow_serving.apis import predict_pb2
      request = predict_pb2.PredictRequest()
      request.inputs["x"].float_val.append(1.0)
      assert "tensorflow.python" not in sys.modules
      assert "numpy" not in sys.modules
    """)

  def test_other_attributes_load_the_real_package(self):
    _run("""
      from serving import lazy_tensorflow
      lazy_tensorflow.install()
      import tensorflow as tf
      assert not hasattr(tf, "__nope__")
      assert float(tf.add(1.0, 2.0)) == 3.0
      assert tf.version.VERSION
    """)

  def test_a_loaded_package_is_left_alone(self):
    _run("""
      import sys
      import tensorflow
      from serving import lazy_tensorflow, tf_library
      lazy_tensorflow.install()
      assert sys.modules["tensorflow"] is tensorflow
      assert tf_library.load().TF_Version().decode() == tensorflow.version.VERSION
    """)


if __name__ == "__main__":
  absltest.main()
