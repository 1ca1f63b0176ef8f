import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.geometry import anchors, bev_grid
from tf_taskology.networks import pillars, point_pillars
from tf_taskology.tasks import box_flow, detection

_GRID = bev_grid.BevGrid((-8, 8), (-4, 4), (-1, 3), 0.5)  # 16 rows, 32 columns
_SMALL = {
  "pillar_channels": 4, "blocks": (0, 1), "channels": (6, 8), "strides": (2, 2), "up_channels": 5,
  "fusion_channels": 4,
}  # fmt: skip
_ANCHORS = anchors.Anchors(_GRID, 2)


def sweeps(samples=2, frames=3, most=50, seed=0):
  random = np.random.RandomState(seed)
  points = random.uniform([-9, -5, -2, 0], [9, 5, 4, 1], [samples, frames, most, 4])
  counts = random.randint(most // 2, most + 1, [samples, frames])
  return {
    "points": tf.constant(points.astype(np.float32)),
    "num_points": tf.constant(counts.astype(np.int32)),
  }


class PillarFeaturesTest(tf.test.TestCase):
  def _layer(self, **settings):
    return pillars.PillarFeatures(
      _GRID.x_range, _GRID.y_range, _GRID.z_range, _GRID.cell, 5, **settings
    )

  def test_is_what_loops_over_points_find(self):
    layer = self._layer(normalization="none")
    inputs = sweeps(frames=1)
    points, counts = inputs["points"][:, 0], inputs["num_points"][:, 0]
    found = layer(points, counts)
    kernel, bias = (w.numpy().astype(np.float64) for w in layer.linear.weights)
    self.assertEqual(kernel.shape, (9, 5))
    expected = np.zeros([2, 16, 32, 5])
    for sample in range(2):
      cells = {}
      for point in points[sample, : counts[sample]].numpy().astype(np.float64):
        column, row = int((point[0] + 8) // 0.5), int((point[1] + 4) // 0.5)
        if 0 <= column < 32 and 0 <= row < 16 and -1 <= point[2] < 3:
          cells.setdefault((row, column), []).append(point)
      for (row, column), inside in cells.items():
        inside = np.array(inside)
        centre = [-8 + 0.5 * column + 0.25, -4 + 0.5 * row + 0.25]
        numbers = np.concatenate(
          [
            (inside[:, :3] - [0, 0, 1]) / [8, 4, 2],
            inside[:, 3:],
            (inside[:, :3] - inside[:, :3].mean(0)) / 0.5,
            (inside[:, :2] - centre) / 0.5,
          ],
          axis=1,
        )
        expected[sample, row, column] = np.maximum(numbers @ kernel + bias, 0).max(0)
      self.assertGreater(len(cells), 5)
    self.assertAllClose(found, expected, atol=1e-5)

  def test_order_padding_and_bad_points_do_not_matter(self):
    layer = self._layer()
    points = sweeps(1, 1, 30)["points"][:, 0]
    count = tf.constant([30])
    expected = layer(points, count)
    self.assertAllClose(layer(points[:, ::-1], count), expected)
    bad = tf.constant([[[np.nan, 0, 0, 0], [np.inf, 0, 0, 0], [0, 0, 0, np.nan], [1e30, 0, 0, 0],
                        [0, 0, 99, 0]]], tf.float32)  # fmt: skip
    self.assertAllClose(layer(tf.concat([bad, points], 1), tf.constant([35])), expected)
    padded = tf.concat([points, tf.fill([1, 9, 4], 0.5)], 1)
    self.assertAllClose(layer(padded, count), expected)
    # Nor in training: moments are over the points that count.
    self.assertAllClose(
      layer(tf.concat([bad, padded], 1), tf.constant([35]), training=True),
      layer(points, count, training=True),
      atol=1e-5,
    )

  def test_empty_sweeps_give_zeros_and_harm_nothing(self):
    layer = self._layer()
    for training in (False, True):
      found = layer(tf.zeros([2, 7, 4]), tf.zeros([2], tf.int32), training=training)
      self.assertAllEqual(found, tf.zeros([2, 16, 32, 5]))
    found = layer(tf.zeros([2, 0, 4]), tf.zeros([2], tf.int32))
    self.assertAllEqual(found, tf.zeros([2, 16, 32, 5]))
    self.assertTrue(all(np.all(np.isfinite(w)) for w in layer.weights))

  def test_points_on_borders(self):
    layer = self._layer(normalization="none")
    low, high = [-8.0, -4.0, 0, 0], [np.nextafter(np.float32(8), np.float32(0)), 3.9999998, 0, 0]
    layer(tf.zeros([1, 1, 4]), tf.constant([1]))
    layer.linear.set_weights([np.zeros([9, 5]), np.ones(5)])
    found = layer(tf.constant([[low, high, [8.0, 0, 0, 0]]], tf.float32), tf.constant([3]))
    self.assertAllEqual(np.argwhere(found[0, ..., 0]), [[0, 0], [15, 31]])


class PointPillarsTest(tf.test.TestCase, parameterized.TestCase):
  def test_detection_answers_for_each_frame_by_itself(self):
    task = detection.Detection(_ANCHORS)
    model = point_pillars.PointPillars(_GRID, **_SMALL)([task])
    inputs = sweeps()
    raw = model(inputs)["detection"]
    self.assertEqual(raw.shape, [2, 3, 8, 16, task.raw_channels])
    alone = model({name: value[1:, 2:] for name, value in inputs.items()})["detection"]
    self.assertAllClose(alone[0, 0], raw[1, 2], atol=1e-5)
    self.assertNotAllClose(raw[0, 0], raw[0, 1])

  @parameterized.parameters(("late", True), ("late", False), ("early", False))
  def test_flow_sees_all_frames(self, fusion, both):
    tasks = [box_flow.BoxFlow(_ANCHORS)] + [detection.Detection(_ANCHORS)] * both
    model = point_pillars.PointPillars(_GRID, fusion=fusion, **_SMALL)(tasks, num_frames=3)
    inputs = sweeps(1)
    raw = model(inputs)
    self.assertEqual(set(raw), {task.name for task in tasks})
    self.assertEqual(raw["box_flow"].shape, [1, 1, 8, 16, 12])
    for frame in range(3):
      counts = inputs["num_points"].numpy()
      counts[:, frame] = 0
      changed = model({**inputs, "num_points": tf.constant(counts)})["box_flow"]
      self.assertNotAllClose(changed, raw["box_flow"])

  @parameterized.parameters("batch", "instance", "none")
  def test_every_weight_learns(self, normalization):
    tasks = [detection.Detection(_ANCHORS), box_flow.BoxFlow(_ANCHORS)]
    network = point_pillars.PointPillars(_GRID, normalization=normalization, **_SMALL)
    model = network(tasks, num_frames=3)
    with tf.GradientTape() as tape:
      raw = model(sweeps(), training=True)
      loss = tf.add_n([tf.reduce_sum(tf.square(value - 1)) for value in raw.values()])
    for gradient, weight in zip(
      tape.gradient(loss, model.trainable_weights), model.trainable_weights, strict=True
    ):
      self.assertGreater(tf.norm(gradient), 0, weight.name)

  def test_full_and_compact_sizes(self):
    full = point_pillars.PointPillars(bev_grid.BevGrid(), **point_pillars.FULL, point_size=5)
    model = full([detection.Detection(anchors.Anchors(bev_grid.BevGrid()))])
    features = model.get_layer("features").output
    self.assertEqual(features.shape, [None, 468, 468, 384])
    # Pillars, three blocks, what raises each of them, heads.
    by_hand = 768 + 147_968 + 812_544 + 3_247_104 + 8_448 + 65_792 + 524_544 + 7_700
    self.assertEqual(by_hand, 4_814_868)
    self.assertEqual(sum(np.prod(w.shape) for w in model.trainable_weights), by_hand)
    grid = bev_grid.BevGrid((-32, 32), (-32, 32), (-1, 3), 0.5)
    compact = point_pillars.PointPillars(grid, **point_pillars.COMPACT)
    tasks = [
      detection.Detection(anchors.Anchors(grid, 2)),
      box_flow.BoxFlow(anchors.Anchors(grid, 2)),
    ]
    self.assertLess(compact(tasks, 3).count_params(), 6e5)

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "give Anchors the stride 2"):
      point_pillars.PointPillars(_GRID, **_SMALL)([detection.Detection(anchors.Anchors(_GRID))])
    with self.assertRaisesRegex(ValueError, "Use 'late'"):
      point_pillars.PointPillars(_GRID, fusion="early", **_SMALL)([detection.Detection(_ANCHORS)])
    with self.assertRaisesRegex(ValueError, "num_frames must be"):
      point_pillars.PointPillars(_GRID, **_SMALL)([box_flow.BoxFlow(_ANCHORS)], num_frames=2)
    with self.assertRaisesRegex(ValueError, "no grid of stride 32"):
      point_pillars.PointPillars(_GRID, strides=(8, 2, 2))
    with self.assertRaisesRegex(ValueError, "one entry for each block"):
      point_pillars.PointPillars(_GRID, blocks=(1,))


if __name__ == "__main__":
  tf.test.main()
