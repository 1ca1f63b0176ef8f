"""Tests of peers/peer.py."""

import numpy as np
from absl.testing import absltest

from tests.peers import fake_server
from tf_taskology.peers import peer
from tf_taskology.tasks import depth, surface_normals


class PeerTest(absltest.TestCase):
  def test_outputs_of_several_tasks(self):
    outputs = peer.outputs_of([depth.Depth(), surface_normals.SurfaceNormals()])
    self.assertEqual({name: o.channels for name, o in outputs.items()}, {"depth": 1, "normals": 3})

  def test_tasks_on_pairs_are_refused(self):
    task = depth.Depth()
    task.takes = "pair"
    with self.assertRaisesRegex(ValueError, "task 'depth' takes 'pair'. Expected 'frame'"):
      peer.outputs_of([task])

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


if __name__ == "__main__":
  absltest.main()
