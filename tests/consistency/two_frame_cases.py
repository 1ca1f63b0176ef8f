"""What every relation of depth in two frames must hold; a test of one is a subclass that builds it."""

import numpy as np
import tensorflow as tf

from tests.geometry import analytic_scene


def scene(height=24, width=32, stride=2, sphere=False, dtype=np.float32):
  """Inputs of a sample of two frames, and their true depth."""
  inputs, truth = analytic_scene.two_views(height, width, stride, sphere, dtype)
  return {name: tf.constant(value) for name, value in inputs.items()}, tf.constant(truth["depth"])


class TwoFrameCases:
  """Mixin for `tf.test.TestCase`: define `loss(**arguments)`, a relation of its terms from images alone.

  Attributes:
    scale: by what true depth is multiplied for depth that is wrong.
    xla_tolerance: relative, of the terms; and absolute, of their gradient.
  """

  scale = 1.1
  xla_tolerance = (1e-4, 1e-6)

  def loss(self, **arguments):
    raise NotImplementedError

  def terms_and_gradient(self, loss, depth, inputs):
    with tf.GradientTape() as tape:
      tape.watch(depth)
      terms = loss({"depth": depth}, inputs)
    return terms, tape.gradient(terms, depth)

  def assert_gradient_equals_finite_differences(self, loss, term, depth, inputs, step):
    value = tf.function(lambda depth: loss({"depth": depth}, inputs)[term])
    theoretical, numerical = tf.test.compute_gradient(value, [depth], step)
    self.assertGreater(np.abs(numerical[0]).max(), 1e-4)
    self.assertAllClose(theoretical[0], numerical[0], atol=1e-6)

  def test_missing_depth_gets_no_gradient(self):
    inputs, depth = scene()
    holes = (self.scale * depth).numpy()
    holes[:, :, 5:9, 6:12] = 0
    terms, gradient = self.terms_and_gradient(
      self.loss(jit_compile=False), tf.constant(holes), inputs
    )
    for value in terms.values():
      self.assertGreater(value, 0)
    self.assertTrue(np.all(np.isfinite(gradient)))
    self.assertAllEqual(gradient[:, :, 5:9, 6:12], tf.zeros([1, 2, 4, 6, 1]))
    self.assertGreater(tf.norm(gradient), 0)

  def test_depth_that_is_missing_everywhere_weighs_nothing(self):
    inputs, depth = scene()
    self.assert_weighs_nothing(tf.zeros_like(depth), inputs)

  def test_frames_without_common_view_weigh_nothing(self):
    inputs, depth = scene()
    apart = np.stack([analytic_scene.pose(), analytic_scene.pose(yaw=np.pi)])[None]
    self.assert_weighs_nothing(depth, {**inputs, "pose": tf.constant(apart, tf.float32)})

  def assert_weighs_nothing(self, depth, inputs):
    terms, gradient = self.terms_and_gradient(self.loss(jit_compile=False), depth, inputs)
    self.assertNotEmpty(terms)
    self.assertAllEqual(list(terms.values()), [0] * len(terms))
    self.assertAllEqual(gradient, tf.zeros_like(depth))

  def test_xla_gives_the_same_within_a_distributed_step(self):
    inputs, depth = scene(12, 16)
    depth = depth * self.scale
    compiled = self.loss(weights={"depth": 1.0})
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])

    @tf.function
    def step(depth, inputs):
      return strategy.run(lambda: self.terms_and_gradient(compiled, depth, inputs))

    terms, gradient = step(depth, inputs)
    expected = self.terms_and_gradient(self.loss(jit_compile=False), depth, inputs)
    relative, absolute = self.xla_tolerance
    self.assertAllClose(terms, expected[0], rtol=relative)
    self.assertAllClose(gradient, expected[1], atol=absolute)

  def test_single_frame_is_refused(self):
    inputs, depth = scene()
    with self.assertRaisesRegex(ValueError, "'depth' has 1 frames"):
      self.loss(jit_compile=False)({"depth": depth[:, :1]}, inputs)

  def test_frames_that_are_no_pair_are_refused(self):
    for frames in ((0,), (1, 1), (0, -1)):
      with self.assertRaisesRegex(ValueError, "frames must be two different"):
        self.loss(frames=frames)
