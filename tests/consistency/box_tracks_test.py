import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.consistency import box_tracks
from tf_taskology.geometry import anchors, bev_grid, boxes

_ANCHORS = anchors.Anchors(
  bev_grid.BevGrid((-16, 16), (-12, 12), (-2, 4), 0.8), sizes=((4.0, 2.0, 1.5),)
)
_RESIDUALS = ("x", "y", "z", "l", "w", "h", "heading")


def tracks():
  """[batch, frames, 7] of two vehicles, one a sample, that drive and turn; the second reverses."""
  first = np.array([[-5.1, 3.3, 0.8, 4.4, 1.9, 1.5, 0.4], [4.2, -2.7, 1.0, 5, 2, 1.6, 3.1]])
  step = np.array([[3.13, 1.21, 0, 0, 0, 0, 0.15], [-2.9, 0.37, 0, 0, 0, 0, 0.1]])
  return first[:, None] + step[:, None] * np.arange(3)[:, None]


def planted(shared=False, turn=0.0):
  """Predictions of detections and flow that are exactly those of `tracks`."""
  truth = tracks()
  at = _ANCHORS.boxes()
  residuals = boxes.encode(truth[:, :, None, None, None], at.astype(np.float64)).numpy()
  residuals[..., 6] += turn * np.arange(3)[:, None, None, None]
  logits = np.full(residuals.shape[:-1], -6.0)
  away = np.linalg.norm(truth[:, :, None, None, None, :2] - at[..., :2], axis=-1)
  logits[away < 4.0] = 2.0
  logits[:, 0][away[:, 0] > 2.0] = -6.0
  flow = (truth[:, 1:] - truth[:, :1])[..., [0, 1, 6]]
  per_cell = 1 if shared else 2
  flow = np.broadcast_to(flow[:, None, None, None], [2, *_ANCHORS.shape[:2], per_cell, 2, 3])
  flat = lambda value: tf.constant(value.reshape(*value.shape[:4], -1).astype(np.float32))
  return {
    "box_logits": flat(logits[..., None]),
    "box_residuals": flat(residuals),
    "box_flow": flat(flow.reshape(2, 1, *_ANCHORS.shape[:2], -1)),
  }


def value(predictions, **settings):
  return box_tracks.BoxTracks(_ANCHORS, **settings)(predictions, {})


def with_error(predictions, channel, size, frame=1):
  """A residual that is off by `size` in one frame, the same at all anchors."""
  off = np.zeros([3, 1, 1, 14], np.float32)
  off[frame, ..., [channel, 7 + channel]] = size
  return {**predictions, "box_residuals": predictions["box_residuals"] + off}


def with_errors():
  """Residuals and scores of one frame are off."""
  off = np.float32([0, 0.4, 0])[:, None, None, None]
  predictions = with_error(planted(), 0, 0.2)
  return {**predictions, "box_logits": predictions["box_logits"] - off}


class BoxTracksTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.product(
    distance=("l1", "l2", "smooth_l1"), shared=(False, True), angle_period=(math.pi, 2 * math.pi)
  )
  def test_exact_tracks_cost_nothing(self, distance, shared, angle_period):
    found = value(planted(shared), distance=distance, shared=shared, angle_period=angle_period)
    self.assertEqual(list(found), ["class", "residual"])
    self.assertAllClose(list(found.values()), [0, 0], rtol=0, atol=1e-6)

  def test_which_way_round_does_not_matter_unless_asked(self):
    turned = planted(turn=math.pi)
    self.assertAllClose(value(turned)["residual"], 0, atol=1e-6)
    self.assertGreater(value(turned, angle_period=2 * math.pi)["residual"], 1.0)

  @parameterized.named_parameters((name, i) for i, name in enumerate(_RESIDUALS))
  def test_grows_with_an_error_of(self, channel):
    losses = [
      value(with_error(planted(), channel, size))["residual"] for size in (0, 0.02, 0.1, 0.4, 1.2)
    ]
    self.assertAllGreater(np.diff(losses), 1e-4)
    for size in (-0.1, 0.1):
      for frame in range(3):
        self.assertGreater(value(with_error(planted(), channel, size, frame))["residual"], 1e-3)

  @parameterized.parameters(0, 1, 2, 3, 4, 5)
  def test_grows_with_an_error_of_the_flow(self, channel):
    predictions = planted()
    losses = []
    for size in (0, 0.02, 0.1, 0.3):  # less than half a cell: the anchor stays
      off = np.zeros(12, np.float32)
      off[[channel, 6 + channel]] = size
      # The remainder may reach the next cell; then the comparison is with that, and as large.
      losses.append(value({**predictions, "box_flow": predictions["box_flow"] + off})["residual"])
    self.assertAllGreater(np.diff(losses), 1e-5)

  def test_grows_with_an_error_of_the_class(self):
    predictions = planted()
    logits = predictions["box_logits"]
    off = np.float32([0, 1, 0])[:, None, None, None]
    losses = [
      value({**predictions, "box_logits": logits - size * off})["class"]
      for size in (0.0, 0.3, 1.0, 3.0)
    ]
    self.assertAllGreater(np.diff(losses), 1e-3)

  def test_numbers_by_hand(self):
    # One error in one of two later frames: the mean over both halves it.
    self.assertAllClose(
      value(with_error(planted(), 2, 0.5), distance="l1")["residual"], 0.25, atol=1e-5
    )
    self.assertAllClose(
      value(with_error(planted(), 2, 0.5, frame=0), distance="l2")["residual"], 0.25, atol=1e-5
    )

  def test_printed_sign_is_not_satisfied_by_exact_tracks(self):
    printed = value(planted(), as_printed=True, distance="l1")["residual"]
    expected = []
    for sample in tracks():
      for later in (1, 2):
        flow = sample[later, [0, 1, 6]] - sample[0, [0, 1, 6]]
        remainder = flow[:2] - 0.8 * np.round(flow[:2] / 0.8)
        expected.append(2 * np.abs(remainder).sum() / math.hypot(4, 2) + 2 * abs(flow[2]))
    counted = np.sum(planted()["box_logits"][:, 0].numpy() > 0, axis=(1, 2, 3))
    weights = np.repeat(counted, 2)
    self.assertAllClose(printed, np.average(expected, weights=weights), rtol=1e-4)

  @parameterized.parameters(
    ((), {"box_logits", "box_residuals", "box_flow"}),
    (("flow",), {"box_logits", "box_residuals"}),
    (("source", "target"), {"box_flow"}),
    (("source", "target", "flow"), set()),
  )
  def test_stop_gradients(self, stop_gradients, trained):
    self.assertEqual(self._trained(with_errors(), stop_gradients), trained)

  def test_gradients_reach_the_own_module_only(self):
    # A peer's predictions are constants of the step; the own module's depend on its weights.
    constant = with_errors()
    for own in constant:
      weight, peer = tf.Variable(1.0), tf.Variable(1.0)
      with tf.GradientTape() as tape:
        predictions = {
          n: v * weight if n == own else tf.stop_gradient(v * peer) for n, v in constant.items()
        }
        total = tf.add_n(list(value(predictions).values()))
      gradients = tape.gradient(total, [weight, peer])
      self.assertNotEqual(gradients[0], 0, own)
      self.assertIsNone(gradients[1])

  def test_the_surer_answer_teaches_the_other_one(self):
    predictions = with_errors()  # in the second sweep scores are lower
    with tf.GradientTape() as tape:
      tape.watch(predictions)
      loss = value(predictions, teacher="surer", min_target_probability=0.1)
      total = loss["class"] + loss["residual"]
    gradients = tape.gradient(total, predictions)
    for name in ("box_logits", "box_residuals"):
      moved = tf.norm(tf.reshape(gradients[name], [2, 3, -1]), axis=-1)
      self.assertAllEqual(moved[:, 0], [0, 0])
      self.assertAllGreater(moved[:, 1], 0)
    # Its score is to rise.
    self.assertAllLessEqual(gradients["box_logits"][:, 1], 0)
    self.assertAllClose(total, tf.add_n(list(value(predictions).values())), rtol=1e-6)

  def test_the_surer_answer_may_be_that_of_the_later_sweep(self):
    seen_later = planted()
    off = np.float32([2.5, 0, 0])[:, None, None, None]  # 0.38 rather than 0.88
    seen_later["box_logits"] = seen_later["box_logits"] - off
    with tf.GradientTape() as tape:
      tape.watch(seen_later["box_logits"])
      loss = value(seen_later, teacher="surer", min_probability=0.5)["class"]
    gradient = tape.gradient(loss, seen_later["box_logits"])
    self.assertGreater(loss, 0.4)
    self.assertAllLessEqual(gradient[:, 0], 0)
    self.assertLess(tf.reduce_min(gradient[:, 0]), 0)
    self.assertAllEqual(gradient[:, 1:], tf.zeros_like(gradient[:, 1:]))

  def test_where_a_track_leads_to_no_vehicle_nothing_is_taught(self):
    predictions = planted()
    gone = np.float32([0, 20, 20])[:, None, None, None]
    predictions["box_logits"] = predictions["box_logits"] - gone
    settings = {"teacher": "surer", "min_target_probability": 0.1}
    self.assertAllEqual(list(value(predictions, **settings).values()), [0, 0])
    self.assertGreater(value(predictions, teacher="surer")["class"], 0.8)

  def test_tracks_that_leave_the_grid_or_are_no_number_do_not_count(self):
    predictions = planted()
    for bad in (1000.0, 1e20, np.nan, np.inf):
      away = dict(predictions)
      away["box_flow"] = tf.fill(predictions["box_flow"].shape, bad)
      with tf.GradientTape() as tape:
        tape.watch(away)
        loss = tf.add_n(list(value(away).values()))
      self.assertEqual(loss, 0)
      for gradient in tape.gradient(loss, away).values():
        self.assertAllEqual(gradient, tf.zeros_like(gradient))

  def test_nothing_seen_weighs_nothing(self):
    predictions = planted()
    found = value({**predictions, "box_logits": predictions["box_logits"] - 20})
    self.assertAllEqual(list(found.values()), [0, 0])

  def test_needs(self):
    loss = box_tracks.BoxTracks(_ANCHORS, {"box_flow": 0.5}, num_frames=2)
    self.assertEqual(loss.needs["box_residuals"], (0, 1))
    self.assertEqual(loss.needs["box_flow"], ((0, 1),))
    self.assertEqual(loss.needs_inputs, ())

  @parameterized.parameters(
    ({"distance": "cosine"}, "distance"),
    ({"class_space": "odds"}, "class_space"),
    ({"angle_period": 1.0}, "angle_period"),
    ({"teacher": "older"}, "teacher"),
    ({"stop_gradients": ["peer"]}, "stop_gradients"),
    ({"num_frames": 1}, "num_frames"),
    ({"weights": {"depth": 1.0}}, "does not read"),
  )
  def test_refuses(self, settings, message):
    with self.assertRaisesRegex(ValueError, message):
      box_tracks.BoxTracks(_ANCHORS, **settings)

  def _trained(self, predictions, stop_gradients):
    with tf.GradientTape() as tape:
      tape.watch(predictions)
      loss = tf.add_n(list(value(predictions, stop_gradients=stop_gradients).values()))
    gradients = tape.gradient(loss, predictions, unconnected_gradients="zero")
    return {name for name, gradient in gradients.items() if tf.norm(gradient) > 0}


if __name__ == "__main__":
  tf.test.main()
