"""Tests of peers/peer.py."""

import numpy as np
from absl.testing import absltest

from tests.peers import fake_server
from tf_taskology.peers import peer
from tf_taskology.tasks import depth, motion, surface_normals


class PeerTest(absltest.TestCase):
  def test_outputs_of_several_tasks(self):
    outputs = peer.outputs_of([depth.Depth(), surface_normals.SurfaceNormals()])
    self.assertEqual({name: o.channels for name, o in outputs.items()}, {"depth": 1, "normals": 3})

  def test_predictions_become_float32(self):
    checked = peer.check_predictions(
      fake_server.FakePeer(), {"depth": np.ones([2, 3, 4, 1], np.float16)}, 2
    )
    self.assertEqual(checked["depth"].dtype, np.float32)

  def test_wrong_shapes_are_named(self):
    for shape in ([2, 3, 4], [1, 3, 4, 1], [2, 3, 4, 3]):
      with self.assertRaisesRegex(
        peer.WrongShape, r"'depth' at nowhere .* \[2, height, width, 1\]"
      ):
        peer.check_predictions(fake_server.FakePeer(), {"depth": np.ones(shape)}, 2)

  def test_what_holds_of_the_whole_frame_is_one_pixel(self):
    asked = fake_server.FakePeer(outputs={"rotation": motion.Motion().outputs["rotation"]})
    peer.check_predictions(asked, {"rotation": np.ones([2, 1, 1, 3])}, 2)
    with self.assertRaisesRegex(peer.WrongShape, r"'rotation' .* expected \[2, 1, 1, 3\]"):
      peer.check_predictions(asked, {"rotation": np.ones([2, 4, 4, 3])}, 2)


if __name__ == "__main__":
  absltest.main()
