"""Tests of peers/served.py against a fake model server."""

import grpc
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from tensorflow.core.framework import types_pb2

from tests.peers import fake_server
from tf_taskology.peers import mapping, peer, served, transport

_IMAGES = np.stack([np.full([4, 6, 3], value, np.uint8) for value in (10, 20)])
_ONCE = transport.Retries(attempts=1)


class ServedPeerTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.server = fake_server.FakeServer()
    self.address = self.enter_context(fake_server.serving(self.server))

  def peer(self, **kwargs):
    made = served.ServedPeer("depth", [self.address], fake_server.DEPTH, **kwargs)
    self.addCleanup(made.close)
    return made

  def test_predict(self):
    answer = self.peer().predict({"image": _IMAGES})
    request = self.server.requests[0]
    self.assertEqual(request.model_spec.name, "depth")
    self.assertEqual(request.model_spec.signature_name, "peer")
    self.assertCountEqual(request.output_filter, ["depth", "step", "published_at"])
    self.assertEqual(answer.predictions["depth"].dtype, np.float32)
    np.testing.assert_array_equal(answer.predictions["depth"][:, 1, 2, 0], [10, 20])
    np.testing.assert_array_equal(answer.step, [7, 7])
    np.testing.assert_array_equal(answer.published_at, [1000.0, 1000.0])
    self.assertEqual(answer.version, 7)
    self.assertGreater(answer.num_bytes, 2 * 4 * 6 * 3)
    self.assertGreater(answer.seconds, 0)

  def test_answers_in_the_fields_of_their_types(self):
    # As TensorFlow Serving sends them.
    self.server.as_proto = lambda array: tf.compat.v1.make_tensor_proto(
      array, dtype=array.dtype, shape=array.shape
    )
    answer = self.peer().predict({"image": _IMAGES})
    np.testing.assert_array_equal(answer.predictions["depth"][:, 1, 2, 0], [10, 20])

  def test_check_accepts_what_fits(self):
    self.peer().check()

  def test_check_waits_for_the_first_version(self):
    self.server.failures = [grpc.StatusCode.NOT_FOUND] * 2
    self.peer(retries=_ONCE).check()
    self.assertLen(self.server.requests, 3)

  def test_check_gives_up(self):
    self.server.failures = [grpc.StatusCode.NOT_FOUND] * 1000
    with self.assertRaisesRegex(
      peer.PeerNotPublished, r"has no version .* Waited \d+ s \(publish_limit_secs\)"
    ):
      self.peer(retries=_ONCE, publish_limit_secs=0.1).check()

  def test_check_of_a_dead_port(self):
    dead = served.ServedPeer(
      "depth", ["127.0.0.1:1"], fake_server.DEPTH, retries=_ONCE, connect_limit_secs=0.1
    )
    with self.assertRaisesRegex(
      peer.PeerUnreachable,
      r"'depth' at 127.0.0.1:1 is unreachable.*listens there. Waited \d+ s \(connect_limit_secs\)",
    ):
      dead.check()
    dead.close()

  def test_check_names_what_is_missing(self):
    self.server.signature_name = "serving_default"
    with self.assertRaisesRegex(
      peer.WrongSignature, r"has no signature 'peer'. It has: \['serving_default'\]"
    ):
      self.peer().check()
    self.server.signature_name = "peer"
    del self.server.outputs["step"]
    with self.assertRaisesRegex(
      peer.WrongSignature, r"lacks the outputs \['step'\]. It has: .*depth"
    ):
      self.peer().check()
    self.server.inputs = {"input_1": (types_pb2.DT_UINT8, [-1, -1, -1, 3])}
    with self.assertRaisesRegex(peer.WrongSignature, r"takes \['input_1'\]; expected \['image'\]"):
      self.peer().check()

  @parameterized.parameters(
    ("depth", types_pb2.DT_INT32, "output 'depth' is int32; expected float32 or float16"),
    ("step", types_pb2.DT_FLOAT, "output 'step' is float32; expected int64"),
  )
  def test_check_names_wrong_types(self, name, dtype, text):
    self.server.outputs[name] = (dtype, self.server.outputs[name][1])
    with self.assertRaisesRegex(peer.WrongDtype, text):
      self.peer().check()

  @parameterized.parameters(([-1, 2, 3, 3],), ([-1, 3],))
  def test_check_names_wrong_shapes(self, shape):
    self.server.outputs["depth"] = (types_pb2.DT_HALF, shape)
    with self.assertRaisesRegex(
      peer.WrongShape, r"'depth' has shape .*; expected \[-1, height, width, 1\] \(metres"
    ):
      self.peer().check()

  def test_wrong_answers_are_named(self):
    self.server.arrays = lambda image: {
      "depth": np.zeros([1, 2, 3, 1], np.float16),
      "step": np.zeros(2, np.int64),
      "published_at": np.zeros(2),
    }
    with self.assertRaisesRegex(peer.WrongShape, r"shape \[1, 2, 3, 1\]; expected \[2, height"):
      self.peer().predict({"image": _IMAGES})
    self.server.arrays = lambda image: {
      "depth": np.zeros([2, 2, 3, 1], np.complex64),
      "step": np.zeros(2, np.int64),
      "published_at": np.zeros(2),
    }
    with self.assertRaisesRegex(peer.WrongDtype, "'depth' at .*type complex64"):
      self.peer().predict({"image": _IMAGES})


class ForeignModelTest(absltest.TestCase):
  def test_disparity_network_that_somebody_else_exported(self):
    server = fake_server.FakeServer()
    server.input_name = "input_1"
    server.signature_name = "serving_default"
    server.inputs = {"input_1": (types_pb2.DT_FLOAT, [-1, 3, 8, 12])}
    server.outputs = {"disp": (types_pb2.DT_FLOAT, [-1, 1, 8, 12])}
    # Disparity is 4 x the image's value, 0..1.
    server.arrays = lambda image: {"disp": 4 * image[:, :1]}
    foreign = mapping.Mapping(
      outputs={"depth": mapping.ForeignOutput("disp", layout="NCHW", scale=0.5, invert=True)},
      model_name="monodepth",
      image_input="input_1",
      size=(8, 12),
      layout="NCHW",
      scale=1 / 255,
    )
    now = [1000.0]
    with fake_server.serving(server) as address:
      asked = served.ServedPeer(
        "depth", [address], fake_server.DEPTH, mapping=foreign, time_fn=lambda: now[0]
      )
      asked.check()
      answer = asked.predict({"image": np.full([2, 4, 6, 3], 51, np.uint8)})
      now[0] = 1010.0
      again = asked.predict({"image": np.full([2, 4, 6, 3], 51, np.uint8)})
      server.version = 8
      newer = asked.predict({"image": np.full([2, 4, 6, 3], 51, np.uint8)})
      asked.close()
    self.assertEqual(server.requests[-1].model_spec.name, "monodepth")
    self.assertEqual(answer.predictions["depth"].shape, (2, 8, 12, 1))
    np.testing.assert_allclose(answer.predictions["depth"], 1 / (0.5 * 4 * 0.2), rtol=1e-5)
    # Without step and publish time: the version, and when it was first seen.
    np.testing.assert_array_equal(answer.step, [7, 7])
    np.testing.assert_array_equal(again.published_at, [1000.0, 1000.0])
    np.testing.assert_array_equal(newer.published_at, [1010.0, 1010.0])

  def test_a_mapping_without_the_output_is_refused(self):
    with self.assertRaisesRegex(peer.WrongSignature, r"does not say which tensors are \['depth'\]"):
      served.ServedPeer("depth", ["x:1"], fake_server.DEPTH, mapping=mapping.Mapping({}))


if __name__ == "__main__":
  absltest.main()
