"""Tests of peers/exporting.py: versions written from one graph, read by other readers."""

import os
import subprocess
import sys

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.peers import tiny_network
from tf_taskology.networks import compact_motion
from tf_taskology.peers import exporting, peer
from tf_taskology.tasks import motion

_IMAGES = np.random.RandomState(0).randint(0, 256, (2, *tiny_network.SIZE, 3)).astype(np.uint8)

_READER = """
import sys
import numpy as np
import tensorflow as tf
assert not any(name.startswith("tf_taskology") for name in sys.modules)
model = tf.saved_model.load(sys.argv[1])
images = np.load(sys.argv[2])
result = model.signatures["serving_default"](image=tf.constant(images))
np.savez(sys.argv[3], **{name: value.numpy() for name, value in result.items()})
"""


class ExporterTest(parameterized.TestCase, tf.test.TestCase):
  def setUp(self):
    super().setUp()
    self.directory = self.create_tempdir().full_path

  def tearDown(self):
    tf.keras.mixed_precision.set_global_policy("float32")
    super().tearDown()

  def write(self, exporter, step):
    version = os.path.join(self.directory, str(step))
    os.mkdir(version)
    exporter.write(version, step, 1000.0 + step)
    return version

  def export(self, network, changes=1):
    """Writes one version, changes the weights, writes another: path of the second."""
    exporter = exporting.Exporter(
      network, tiny_network.tasks(), os.path.join(self.directory, "graph")
    )
    self.write(exporter, 0)
    for variable in network.variables * changes:
      variable.assign_add(0.1 * tf.ones_like(variable))
    return self.write(exporter, 5)

  def check_peer_signature(self, version, expected):
    model = tf.saved_model.load(version)
    result = model.signatures["peer"](image=tf.constant(_IMAGES))
    outputs = peer.outputs_of(tiny_network.tasks())
    for name, value in expected.items():
      self.assertEqual(result[name].dtype.name, outputs[name].peer_dtype)
      self.assertEqual(result[name].shape, value.shape)
      self.assertAllClose(result[name], value, rtol=2e-2, atol=2e-2)
    self.assertAllEqual(result["step"], [5, 5])
    self.assertAllEqual(result["published_at"], np.array([1005.0, 1005.0]))
    return model

  @parameterized.parameters("float32", "mixed_bfloat16", "mixed_float16")
  def test_changed_weights_through_the_loader(self, precision):
    tf.keras.mixed_precision.set_global_policy(precision)
    network = tiny_network.build()
    before = tiny_network.predict(network, _IMAGES)
    version = self.export(network)
    expected = tiny_network.predict(network, _IMAGES)
    self.assertNotAllClose(before["depth"], expected["depth"], rtol=0.05)
    model = self.check_peer_signature(version, expected)
    served = model.signatures["serving_default"](image=tf.constant(_IMAGES))
    self.assertEqual({served[name].dtype for name in expected}, {tf.float32})

  def test_old_loader(self):
    network = tiny_network.build()
    version = self.export(network)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
      graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], version)
      signature = graph.signature_def["peer"]
      result = session.run(
        {name: tensor.name for name, tensor in signature.outputs.items()},
        {signature.inputs["image"].name: _IMAGES},
      )
    for name, value in tiny_network.predict(network, _IMAGES).items():
      self.assertAllClose(result[name], value, rtol=2e-3, atol=2e-3)
    self.assertAllEqual(result["step"], [5, 5])

  def test_fresh_process_without_our_code(self):
    network = tiny_network.build()
    version = self.export(network)
    images, answers = (os.path.join(self.directory, name) for name in ("in.npy", "out.npz"))
    np.save(images, _IMAGES)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    third_party = [p for p in sys.path if "site-packages" in p]
    environment["PYTHONPATH"] = os.pathsep.join(third_party)
    subprocess.run(
      [sys.executable, "-c", _READER, version, images, answers],
      check=True,
      cwd=self.directory,
      env=environment,
    )
    expected = tiny_network.predict(network, _IMAGES)
    result = np.load(answers)
    self.assertEqual(result["depth"].shape, (2, *tiny_network.SIZE, 1))
    # Prediction (x, y) at stride 2 lies at image pixel (2 x, 2 y).
    self.assertAllClose(result["depth"][:, ::2, ::2], expected["depth"], rtol=1e-4)
    self.assertAllClose(
      np.linalg.norm(result["normals"], axis=-1), np.ones((2, *tiny_network.SIZE))
    )
    self.assertAllEqual(result["step"], [5, 5])

  def test_jpeg_and_other_sizes(self):
    model = tf.saved_model.load(self.export(tiny_network.build()))
    for size in (tiny_network.SIZE, (21, 30)):
      image = np.random.RandomState(1).randint(0, 256, (2, *size, 3)).astype(np.uint8)
      encoded = [tf.io.encode_jpeg(image[0]).numpy(), tf.io.encode_png(image[1]).numpy()]
      decoded = np.stack([tf.io.decode_image(e, expand_animations=False) for e in encoded])
      from_pixels = model.signatures["serving_default"](image=tf.constant(decoded))
      from_files = model.signatures["serving_jpeg"](image_bytes=tf.constant(encoded))
      self.assertEqual(from_pixels["depth"].shape, (2, *size, 1))
      for name, value in from_pixels.items():
        self.assertAllEqual(from_files[name], value)

  def test_pairs_of_images_and_of_files(self):
    size, task = (32, 64), motion.Motion()
    network = compact_motion.CompactMotion(channels=(4, 8, 8, 8))([task], size)
    exporter = exporting.Exporter(network, [task], os.path.join(self.directory, "graph"))
    model = tf.saved_model.load(self.write(exporter, 3))
    frames = np.random.RandomState(1).randint(0, 256, (2, 2, *size, 3)).astype(np.uint8)
    pairs = np.concatenate([frames[:, 0], frames[:, 1]], axis=-1)
    answers = model.signatures["serving_default"](image=tf.constant(pairs))
    self.assertEqual(answers["rotation"].shape, (2, 1, 1, 3))
    self.assertEqual(answers["motion_field"].shape, (2, *size, 3))
    encoded = [[tf.io.encode_png(frame).numpy() for frame in sample] for sample in frames]
    from_files = model.signatures["serving_jpeg"](image_bytes=tf.constant(encoded))
    raw = task.decode(network(tf.cast(pairs, tf.float32))["motion"])
    peers = model.signatures["peer"](image=tf.constant(pairs))
    for name, value in raw.items():
      self.assertAllClose(answers[name], from_files[name], rtol=1e-5, atol=1e-6)
      self.assertAllClose(peers[name], value, rtol=2e-3, atol=1e-4)
    self.assertAllEqual(peers["step"], [3, 3])

  def test_distributed_variables_give_the_first_replica(self):
    cpus = tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([d.name for d in cpus])
    self.assertEqual(strategy.num_replicas_in_sync, 2)
    with strategy.scope():
      network = tiny_network.build()
      self.assertLen(network.variables[0].values, 2)
      # Statistics are averaged over replicas when read; here the replicas disagree on purpose.
      statistics = network.layers[3].moving_mean
      self.assertIn("moving_mean", statistics.name)
      version = self.export(network)
      statistics.values[1].assign(statistics.values[0] + 1.0)
      again = os.path.join(self.directory, "again")
      exporter = exporting.Exporter(network, tiny_network.tasks(), again)
      second = self.write(exporter, 6)
    expected = tf.train.load_checkpoint(os.path.join(version, "variables", "variables"))
    got = tf.train.load_checkpoint(os.path.join(second, "variables", "variables"))
    for name in expected.get_variable_to_shape_map():
      if name.startswith("weights/"):
        self.assertAllEqual(got.get_tensor(name), expected.get_tensor(name))
    plain = tiny_network.build()
    for target, source in zip(plain.variables, network.variables, strict=True):
      target.assign(source.values[0])
    self.check_peer_signature(version, tiny_network.predict(plain, _IMAGES))


if __name__ == "__main__":
  tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
  )
  tf.test.main()
