"""Tests of predict.py: a published model behind the embedded server, and in its folder."""

# bazel: size=medium

import contextlib
import io
import json
import os
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import flagsaver

from tests.peers import tiny_network
from tests.prediction import sample_images
from tests.training import serving_process
from tf_taskology import predict
from tf_taskology.peers import publishing, transport
from tf_taskology.prediction import served_model


class PredictTest(tf.test.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    work_dir = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.export_dir = os.path.join(work_dir, "exports", "depth")
    publisher = publishing.Publisher(cls.export_dir)
    publisher.check_writable()
    tf.keras.utils.set_random_seed(7)
    publisher.publish(tiny_network.build(), tiny_network.tasks(), 400, published_at=1234.5)
    cls.server = serving_process.Server(work_dir, "depth")
    cls.addClassCleanup(cls.server.kill)
    retries = transport.Retries(attempts=200, max_backoff_secs=0.5)
    served_model.ServedModel("depth", [cls.server.address], retries=retries).close()

  def setUp(self):
    super().setUp()
    self.images = self.create_tempdir().full_path
    self.out = os.path.join(self.create_tempdir().full_path, "out")

  def write(self, name, *args, **options):
    return sample_images.write(os.path.join(self.images, name), *args, **options)

  def run_program(self, out=None, **flags):
    """(exit code, stdout, stderr)."""
    printed, complaints, code = io.StringIO(), io.StringIO(), 0
    flags.setdefault("images", [self.images])
    with (
      flagsaver.flagsaver(output_dir=out or self.out, **flags),
      contextlib.redirect_stdout(printed),
      contextlib.redirect_stderr(complaints),
    ):
      try:
        predict.main(["predict"])
      except SystemExit as exit_:
        code = exit_.code
    return code, printed.getvalue(), complaints.getvalue()

  def ask_server(self, **flags):
    return self.run_program(**{"module": "depth", "server": self.server.address, **flags})

  def load(self, out=None):
    """Name of a file -> array, of all arrays below the output folder."""
    folder = out or self.out
    return {
      name: np.load(os.path.join(folder, name))
      for name in tf.io.gfile.listdir(folder)
      if name.endswith(".npy")
    }

  def test_server_and_folder_answer_alike(self):
    for i in range(5):
      self.write(f"{i}.{'jpg' if i % 2 else 'png'}", sample_images.pixels(30 + 10 * (i > 2), 40, i))
    code, text, complaints = self.ask_server(batch_size=2)
    self.assertEqual((code, complaints), (0, ""))
    self.assertIn("answers depth (depth), normals (normals).", text)
    self.assertRegex(text, r"5/5 images \| [\d.]+/s \| in \d+s \| version 400\nWritten to ")
    served = self.load()
    self.assertLen(served, 10)
    self.assertEqual(served["3.depth.npy"].shape, (40, 40, 1))
    lengths = np.linalg.norm(served["0.normals.npy"], axis=-1)
    self.assertBetween(lengths.max(), 1 - 1e-4, 1 + 1e-4)
    other = os.path.join(self.create_tempdir().full_path, "other")
    for export_dir in (self.export_dir, os.path.join(self.export_dir, "400")):
      code, text, _ = self.run_program(out=other, export_dir=export_dir, in_flight=1)
      self.assertEqual(code, 0)
      self.assertIn(f"The model in {self.export_dir}/400 answers", text)
      run_here = self.load(other)
      self.assertEqual(set(run_here), set(served))
      for name, array in served.items():
        np.testing.assert_allclose(run_here[name], array, rtol=1e-4, atol=1e-4)
    with open(os.path.join(self.out, "predictions.jsonl")) as file:
      lines = {line["name"]: line for line in map(json.loads, file)}
    self.assertEqual(
      {key: lines["2"][key] for key in ("version", "step", "published_at")},
      {"version": 400, "step": 400, "published_at": 1234.5},
    )
    for name in ("depth", "normals"):
      self.assertTrue(os.path.exists(os.path.join(self.out, lines["2"]["files"][name]["picture"])))

  def test_the_peers_signature(self):
    self.write("a.jpg")
    code, _, _ = self.ask_server(signature="peer", pictures=False)
    self.assertEqual((code, self.load()["a.depth.npy"].shape), (0, (4, 6, 1)))
    self.assertEqual(self.load()["a.normals.npy"].dtype, np.float16)

  def test_broken_images_are_listed_at_the_end(self):
    self.write("a.jpg")
    big = np.random.default_rng(0).integers(0, 255, [24, 32, 3], np.uint8)
    bad = sample_images.truncate(self.write("b.jpg", big))
    for how in (
      {"module": "depth", "server": self.server.address},
      {"export_dir": self.export_dir},
    ):
      code, text, complaints = self.run_program(**how)
      self.assertEqual(code, 1)
      self.assertIn("2/2 images", text)
      self.assertIn("1 unreadable", text)
      self.assertStartsWith(complaints.splitlines()[-1], f"Cannot read image '{bad}': ")
      self.assertLen(self.load(), 2)

  def check_fails(self, message, **flags):
    code, _, complaints = self.run_program(**flags)
    self.assertEqual(code, 2)
    self.assertRegex(complaints, f"^Error: {message}")
    self.assertEqual(complaints.count("\n"), 1)

  def test_errors_are_one_sentence(self):
    served = {"module": "depth", "server": self.server.address}
    self.check_fails("There are no images in", **served)
    self.write("a.png")
    self.check_fails("There is no file or folder '/nowhere'", **served, images=["/nowhere"])
    self.check_fails("No images were named", **served, images=[])
    self.check_fails("Give either --server .and --module. or --export_dir")
    self.check_fails("Give either", **served, export_dir=self.export_dir)
    self.check_fails("--server needs --module=", server="a:1")
    self.check_fails(
      "--server must have the form host:port.*'nowhere'", module="d", server="nowhere"
    )
    self.check_fails(
      "Peer 'depth' at 127.0.0.1:1 is unreachable", module="depth", server="127.0.0.1:1"
    )
    self.check_fails(
      "Peer 'dept' at .* Servable not found.* Is 'dept' the name under which it is served",
      module="dept",
      server=self.server.address,
    )
    self.check_fails(
      "Module 'depth' at .* has no signature 'serving'. Did you mean 'serving_.*It has: peer, serving_default, serv",
      **served,
      signature="serving",
    )
    self.check_fails("There is no export folder '/nowhere'", export_dir="/nowhere")
    self.check_fails("There is no model in .*It holds: a.png", export_dir=self.images)
    self.check_fails("--depth_range must be near,far", **served, depth_range=["1"])
    self.check_fails(
      "--depth_range must have near < far. Received: 2.0,1.0", depth_range=["2", "1"]
    )
    self.check_fails("Tls needs", **served, tls_client_key="a.pem")
    self.check_fails(".*No such file.*ca.pem", **served, tls_root_certificates="/nowhere/ca.pem")


if __name__ == "__main__":
  tf.test.main()
