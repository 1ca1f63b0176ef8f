import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import moving_scene
from tf_taskology.consistency import segmentation_flow
from tf_taskology.tasks import motion


def scene():
  """(predictions that are true, inputs); logits that are a smooth function of the moving surface."""
  frames = moving_scene.frames(32, 48)
  names = ("depth", motion.ROTATION, motion.TRANSLATION, motion.MOTION_FIELD)
  predictions = {name: frames[name] for name in names}
  predictions["segmentation"] = frames["image"] / 20 - 6
  inputs = {name: frames[name] for name in ("image", "intrinsics")}
  pack = lambda items: {n: tf.constant(v[None].astype(np.float32)) for n, v in items.items()}
  return pack(predictions), pack(inputs)


def value(predictions, inputs, **arguments):
  loss = segmentation_flow.SegmentationFlow(jit_compile=False, **arguments)
  (value,) = loss(predictions, inputs).values()
  return value


def still_scene():
  """`scene` where nothing moves, before a wall."""
  predictions, inputs = scene()
  for name in (motion.ROTATION, motion.TRANSLATION, motion.MOTION_FIELD):
    predictions[name] = tf.zeros_like(predictions[name])
  predictions["depth"] = tf.ones_like(predictions["depth"])
  return predictions, inputs


class SegmentationFlowTest(tf.test.TestCase, parameterized.TestCase):
  def test_true_motion_carries_logits_along_and_wrong_motion_does_not(self):
    predictions, inputs = scene()
    right = value(predictions, inputs)
    self.assertLess(right, 0.1)  # of logits that differ by several, both directions
    for name in (motion.ROTATION, motion.TRANSLATION, motion.MOTION_FIELD):
      wrong = {**predictions, name: -predictions[name]}
      self.assertGreater(value(wrong, inputs), 1.1 * right, name)

  def test_distance_by_hand(self):
    predictions, inputs = still_scene()
    first = tf.zeros([1, 1, 32, 48, 2])
    second = tf.concat([first[..., :1] + 1, first[..., 1:] - 3], axis=-1)
    predictions["segmentation"] = tf.concat([first, second], axis=1)
    self.assertAllClose(value(predictions, inputs), 2 * 2.0, rtol=1e-5)
    self.assertAllClose(value(predictions, inputs, distance="l2"), 2 * 5.0, rtol=1e-5)

  def test_cross_entropy_by_hand(self):
    predictions, inputs = still_scene()
    first, second = tf.zeros([1, 1, 32, 48, 2]), tf.ones([1, 1, 32, 48, 2]) * [2.0, 0.0]
    predictions["segmentation"] = tf.concat([first, second], axis=1)
    sure = 1 / (1 + np.exp(-2.0 / 0.5))
    there = np.log(2)  # of a source that knows nothing, whatever the target
    back = -np.log(1 / (1 + np.exp(-2.0))) / 2 - np.log(1 / (1 + np.exp(2.0))) / 2
    found = value(predictions, inputs, distance="cross_entropy", temperature=0.5)
    self.assertAllClose(found, there + back, rtol=1e-5)
    predictions["segmentation"] = tf.concat([second, second], axis=1)
    found = value(predictions, inputs, distance="cross_entropy", temperature=0.5)
    known = 1 / (1 + np.exp(-2.0))
    expected = -2 * (sure * np.log(known) + (1 - sure) * np.log(1 - known))
    self.assertAllClose(found, expected, rtol=1e-5)

  def test_only_where_the_surface_is_the_same(self):
    """A near post in the first frame only: it lands before what the second frame shows."""
    predictions, inputs = still_scene()
    depth = np.ones([1, 2, 32, 48, 1], np.float32)
    logits = np.zeros([1, 2, 32, 48, 2], np.float32)
    depth[:, 0, :, 20:22] = 0.5
    logits[:, 0, :, 20:22] = [4.0, 0.0]
    predictions.update(depth=tf.constant(depth), segmentation=tf.constant(logits))
    # Of the 47 columns that have a neighbour, two differ there; on the way back the post hides two.
    self.assertAllClose(value(predictions, inputs), 2 * (2 * 2) / (47 + 45), rtol=1e-5)
    self.assertEqual(value(predictions, inputs, surface_tolerance=0.1), 0)
    self.assertGreater(value(predictions, inputs, surface_tolerance=0.6), 0)

  def test_pixels_in_view_count_alike_in_both_directions(self):
    """The right half is nearer in the second frame: to there it is occluded, from there in view."""
    predictions, inputs = still_scene()
    right = np.zeros([1, 1, 32, 48, 1], np.float32)
    right[..., 24:, :] = 1
    depth = np.concatenate([np.ones_like(right), 1 - 0.5 * right], axis=1)
    logits = np.concatenate([np.zeros_like(right), 1 + 3 * right], axis=1)
    predictions.update(depth=tf.constant(depth), segmentation=tf.constant(logits))
    there, back = [1] * 24, [1] * 24 + [4] * 23  # of a row; the last column is out of view
    expected = 2 * np.mean(there + back)
    self.assertAllClose(value(predictions, inputs), expected, rtol=1e-3)

  @parameterized.parameters(
    ((), {"depth", "rotation", "translation", "motion_field", "segmentation"}),
    (("flow",), {"segmentation"}),
    (("source", "target"), {"depth", "rotation", "translation", "motion_field"}),
  )
  def test_stop_gradients(self, stop_gradients, trained):
    predictions, inputs = scene()
    with tf.GradientTape() as tape:
      tape.watch(predictions)
      loss = value(predictions, inputs, stop_gradients=stop_gradients)
    gradients = tape.gradient(loss, predictions, unconnected_gradients="zero")
    self.assertEqual({n for n, g in gradients.items() if tf.norm(g) > 0}, trained)

  def test_nothing_in_view_weighs_nothing(self):
    predictions, inputs = scene()
    away = {**predictions, "translation": predictions["translation"] - [0.0, 0.0, 99.0]}
    with tf.GradientTape() as tape:
      tape.watch(away)
      loss = value(away, inputs)
    self.assertEqual(loss, 0)
    for gradient in tape.gradient(loss, away, unconnected_gradients="zero").values():
      self.assertTrue(np.all(np.isfinite(gradient)))

  def test_xla_says_the_same(self):
    predictions, inputs = scene()
    compiled = segmentation_flow.SegmentationFlow()(predictions, inputs)["logits"]
    self.assertAllClose(compiled, value(predictions, inputs), rtol=1e-4)

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "distance"):
      segmentation_flow.SegmentationFlow(distance="kl")
    with self.assertRaisesRegex(ValueError, "surface_tolerance must be None or >= 0"):
      segmentation_flow.SegmentationFlow(surface_tolerance=-0.1)
    with self.assertRaisesRegex(ValueError, "temperature must be > 0"):
      segmentation_flow.SegmentationFlow(temperature=0.0)
    with self.assertRaisesRegex(ValueError, "stop_gradients"):
      segmentation_flow.SegmentationFlow(stop_gradients=["target_depth"])


if __name__ == "__main__":
  tf.test.main()
