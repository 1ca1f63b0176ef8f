import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import analytic_scene, published_losses
from tf_taskology.geometry import image_similarity, motion_fields, motion_warp, rgbd, rotations


def random_pair(seed=0, batch=3, height=11, width=14):
  """Random frames, depths and motions of a pair, float64."""
  random = np.random.RandomState(seed)
  return {
    "rgb": random.uniform(size=[2, batch, height, width, 3]),
    "depth": random.uniform(2, 4, [2, batch, height, width]),
    "angles": random.normal(0, 0.05, [2, batch, 3]),
    "translation": random.normal(0, 0.2, [2, batch, height, width, 3]),
    "intrinsics": np.tile(analytic_scene.intrinsics(height, width), (batch, 1, 1)),
  }


def moved_of(pair, dtype):
  return motion_warp.move(
    tf.constant(pair["depth"][0], dtype),
    rotations.matrix_from_angles(tf.constant(pair["angles"][0], dtype)),
    tf.constant(pair["translation"][0], dtype),
    tf.constant(pair["intrinsics"], dtype),
  )


def published_moved(pair):
  return published_losses.transform(
    pair["depth"][0], pair["angles"][0], pair["translation"][0], pair["intrinsics"]
  )


class RgbdTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters(("float32", 1e-5), ("float64", 1e-11))
  def test_equals_the_published_formulas(self, dtype, tolerance):
    pair = random_pair()
    expected = published_losses.rgbd(
      published_moved(pair), pair["rgb"][0], pair["depth"][1], pair["rgb"][1]
    )
    compared = rgbd.compare(
      moved_of(pair, dtype),
      tf.constant(pair["rgb"][0], dtype),
      tf.constant(pair["rgb"][1], dtype),
      tf.constant(pair["depth"][1], dtype),
    )
    self.assertBetween(expected["closer"].mean(), 0.2, 0.8)
    self.assertAllEqual(compared.in_view, expected["closer"])
    for name in ("rgb", "ssim", "depth", "proximity"):
      self.assertAllClose(
        getattr(compared, name), expected[name], atol=tolerance, rtol=tolerance, msg=name
      )

  def test_what_fits_better_unmoved_is_ignored(self):
    random = np.random.RandomState(0)
    first = random.uniform(size=[1, 12, 40, 3])
    second = np.roll(first, 3, axis=2)  # all moves right by 3 pixels, ...
    second[:, :, 20:] = first[:, :, 20:]  # ... but the right half stays
    depth = tf.fill([1, 12, 40], tf.constant(3.0, tf.float64))
    columns = tf.range(40, dtype=tf.float64)[tf.newaxis, tf.newaxis] + tf.zeros_like(depth)
    rows = tf.range(12, dtype=tf.float64)[tf.newaxis, :, tf.newaxis] + tf.zeros_like(depth)
    moved = motion_warp.Moved(columns + 3, rows, depth, columns < 37)
    left = tf.cast(columns < 20, tf.float64)
    plain, ignoring, on_the_right, on_the_left = (
      rgbd.compare(
        moved,
        tf.constant(first),
        tf.constant(second),
        depth,
        occlusion_tolerance=0.1,
        ignore_unmoved=ignored,
      )
      for ignored in (False, True, 1 - left, left)
    )
    self.assertGreater(float(plain.rgb), 0.05)
    self.assertLess(float(ignoring.rgb), 0.3 * float(plain.rgb))
    self.assertLess(float(ignoring.ssim), 0.4 * float(plain.ssim))
    self.assertAllEqual(ignoring.in_view, plain.in_view)
    left_out = [plain.rgb - some.rgb for some in (ignoring, on_the_left, on_the_right)]
    self.assertAllClose(left_out[0], left_out[1] + left_out[2], rtol=1e-12)
    self.assertGreater(left_out[2], 4 * left_out[1])

  @parameterized.parameters(True, False)
  def test_cycles_equal_the_published_formulas(self, resampled):
    pair = random_pair(1)
    moved = published_moved(pair)
    mask = np.random.RandomState(3).randint(0, 2, moved[0].shape).astype(float)
    expected = published_losses.cycles(
      moved, mask, *_alternating(pair["angles"], pair["translation"]), resampled
    )
    for dtype, tolerance in (("float64", 1e-11), ("float32", 1e-5)):
      first, second = (
        rotations.matrix_from_angles(tf.constant(angles, dtype)) for angles in pair["angles"]
      )
      rotation = motion_fields.rotation_cycle(first, second)
      translation = motion_fields.translation_cycle(
        moved_of(pair, dtype),
        tf.constant(mask, dtype),
        first,
        *(tf.constant(t, dtype) for t in pair["translation"]),
        resampled_denominator=resampled,
      )
      self.assertAllClose(rotation, expected[0], rtol=tolerance)
      self.assertAllClose(translation, expected[1], rtol=tolerance)

  def test_regularisers_equal_the_published_formulas(self):
    random = np.random.RandomState(4)
    field, total = random.normal(size=[2, 2, 6, 7, 3])
    expected = published_losses.normalize(field, total)
    for dtype, tolerance in (("float64", 1e-11), ("float32", 1e-5)):
      normalized = motion_fields.normalized(tf.constant(field, dtype), tf.constant(total, dtype))
      self.assertAllClose(normalized, expected, rtol=tolerance, atol=tolerance)
      for wrap_around in (True, False):
        self.assertAllClose(
          motion_fields.field_smoothness(normalized, wrap_around),
          published_losses.l1_smoothness(expected, wrap_around),
          rtol=tolerance,
        )
      self.assertAllClose(
        motion_fields.sparsity(normalized), published_losses.sqrt_sparsity(expected), rtol=tolerance
      )

  def test_ssim_gradient_equals_that_of_its_formula(self):
    random = np.random.RandomState(5)
    x, y = (tf.constant(random.uniform(size=[2, 3, 7, 9])) for _ in range(2))
    y = 0.7 * x + 0.3 * y  # neither alike nor unlike, so that nothing is clipped
    weight = tf.constant(random.uniform(size=[2, 1, 7, 9]))

    def formula(x, y):
      last = [tf.transpose(v, [0, 2, 3, 1]) for v in (x, y, weight)]
      distance, window = image_similarity.ssim_distance(*last)
      return tf.reduce_mean(distance * window)

    values, gradients = [], []
    for function in (formula, lambda x, y: image_similarity.weighted_ssim_loss(x, y, weight)):
      with tf.GradientTape() as tape:
        tape.watch([x, y])
        values.append(3 * function(x, y))
      gradients.append(tape.gradient(values[-1], [x, y]))
    self.assertAllClose(*values, rtol=1e-11)
    for expected, gradient in zip(*gradients, strict=True):
      self.assertGreater(np.abs(expected).max(), 1e-3)
      self.assertAllClose(expected, gradient, atol=1e-12)

  @parameterized.parameters("rgb", "depth")
  def test_gradient_equals_finite_differences(self, term):
    pair = random_pair(6, batch=1, height=4, width=4)
    matrix = tf.constant(pair["intrinsics"])
    images = tf.constant(pair["rgb"])

    def value(depth, target_depth, angles, translation):
      rotation = rotations.matrix_from_angles(angles)
      moved = motion_warp.move(depth, rotation, translation, matrix)
      return getattr(rgbd.compare(moved, images[0], images[1], target_depth), term)

    arguments = [*pair["depth"], pair["angles"][0], pair["translation"][0]]
    theoretical, numerical = tf.test.compute_gradient(
      tf.function(value), [tf.constant(a) for a in arguments], 1e-8
    )
    for a, b in zip(theoretical, numerical, strict=True):
      if term == "depth" or b is not numerical[1]:
        self.assertGreater(np.abs(b).max(), 1e-4)
      self.assertAllClose(a, b, atol=1e-6)

  def test_black_and_equal_frames_give_finite_gradients(self):
    depth = 3 * tf.ones([1, 6, 8])
    translation = tf.zeros([1, 6, 8, 3])
    matrix = tf.constant(analytic_scene.intrinsics(6, 8)[None], tf.float32)
    black = tf.zeros([1, 6, 8, 3])
    with tf.GradientTape() as tape:
      tape.watch([depth, translation])
      moved = motion_warp.move(depth, tf.eye(3)[None], translation, matrix)
      compared = rgbd.compare(moved, black, black, depth)
      total = compared.rgb + compared.ssim + compared.depth
      total += motion_fields.rotation_cycle(tf.eye(3)[None], tf.eye(3)[None])
      total += motion_fields.translation_cycle(
        moved, compared.in_view, tf.eye(3)[None], translation, translation
      )
      fields = motion_fields.normalized(translation, translation)
      total += motion_fields.field_smoothness(fields) + motion_fields.sparsity(fields)
    self.assertAllClose(total, 0, atol=1e-6)
    for gradient in tape.gradient(total, [depth, translation]):
      self.assertTrue(np.all(np.isfinite(gradient)))


def _alternating(first, second):
  """first[0], second[0], first[1], second[1]."""
  return first[0], second[0], first[1], second[1]


if __name__ == "__main__":
  tf.test.main()
