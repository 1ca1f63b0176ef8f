import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.geometry import anchors, bev_grid
from tf_taskology.tasks import box_flow

_ANCHORS = anchors.Anchors(bev_grid.BevGrid((-16, 16), (-12, 12), (-2, 4), 1.0))


def labels(task):
  """Targets of one vehicle that moves and turns, and one that is gone in the last frame."""
  first = [[3.3, 4.4, 1, 4.5, 2.0, 1.6, 0.3], [-8.2, -5.1, 0.8, 5, 2.2, 1.8, 3.0]]
  boxes = np.tile(np.array(first, np.float32), (1, 3, 1, 1))
  boxes[0, 1, 0] += [1, 0.5, 0, 0, 0, 0, 0.1]
  boxes[0, 2, 0] += [2, 1.0, 0, 0, 0, 0, 0.2]
  classes, tracks = np.ones([1, 3, 2], np.int32), np.tile([[5, 6]], (1, 3, 1))
  classes[0, 2, 1] = 0
  given = {"boxes": boxes, "classes": classes, "tracks": tracks}
  return task.targets({name: tf.constant(value) for name, value in given.items()})


class BoxFlowTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters((False, 12), (True, 6))
  def test_targets_and_loss(self, shared, channels):
    task = box_flow.BoxFlow(_ANCHORS, 3, shared)
    self.assertEqual(task.raw_channels, channels)
    truth = labels(task)
    flow = truth[box_flow.BOX_FLOW]
    self.assertEqual(flow.shape, [1, 1, 24, 32, channels])
    # The cell of the first vehicle's centre: row 4.4 + 12, column 3.3 + 16; its anchor along x.
    expected = [1, 0.5, 0.1, 2, 1.0, 0.2]
    self.assertAllClose(flow[0, 0, 16, 19, :6], expected, atol=1e-6)
    nan = np.nan
    self.assertAllClose(flow[0, 0, 6, 7, :6], [0, 0, 0, nan, nan, nan], atol=1e-6)
    self.assertTrue(np.all(np.isnan(flow[0, 0, 0])))
    perfect = {box_flow.BOX_FLOW: tf.where(tf.math.is_nan(flow), 7.0, flow)}
    self.assertAllClose(task.loss(truth, perfect)["flow"], 0)
    wrong = {box_flow.BOX_FLOW: perfect[box_flow.BOX_FLOW] + 1.0}
    self.assertGreater(task.loss(truth, wrong)["flow"], 0.5)
    metrics = task.metrics()
    for metric in metrics.values():
      metric.update(truth, wrong)
    self.assertAllClose(metrics["flow_metres"].result(), 2**0.5)
    self.assertAllClose(metrics["flow_radians"].result(), 1.0)
    self.assertGreater(tf.reduce_sum(task.sample_weights(truth)), 2)

  @parameterized.parameters((False, 2), (True, 1))
  def test_raw_numbers_are_in_anchor_diagonals(self, shared, anchors_of_a_cell):
    task = box_flow.BoxFlow(_ANCHORS, 2, shared)
    flow = task.decode(tf.ones([1, 1, 1, task.raw_channels]))[box_flow.BOX_FLOW]
    diagonal = (4.7**2 + 2.1**2) ** 0.5
    self.assertAllClose(flow[0, 0, 0], [diagonal, diagonal, 1.0] * anchors_of_a_cell)

  def test_nothing_known_weighs_nothing(self):
    task = box_flow.BoxFlow(_ANCHORS)
    flow, missing = tf.ones([1, 1, 24, 32, 12]), tf.fill([1, 1, 24, 32, 12], np.nan)
    with tf.GradientTape() as tape:
      tape.watch(flow)
      loss = task.loss({box_flow.BOX_FLOW: missing}, {box_flow.BOX_FLOW: flow})["flow"]
    self.assertEqual(loss, 0)
    self.assertAllEqual(tape.gradient(loss, flow), tf.zeros_like(flow))

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "num_frames"):
      box_flow.BoxFlow(_ANCHORS, 1)


if __name__ == "__main__":
  tf.test.main()
