"""What is done to samples: frames, subsampling, and a mirror that geometry cannot tell from a camera."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import analytic_scene
from tf_taskology.datasets import element
from tf_taskology.geometry import cameras, surface_normals, warping

_HEIGHT, _WIDTH = 12, 20


def _two_views(sphere=False):
  """A batch of two equal samples of two frames, with exact labels."""
  inputs, truth = analytic_scene.two_views(_HEIGHT, _WIDTH, sphere=sphere)
  batch = {
    element.IMAGE: inputs["image"].astype(np.uint8),
    element.INTRINSICS: inputs["intrinsics"],
    element.POSE: inputs["pose"],
    element.SAMPLE_ID: np.array([b"a"]),
    element.LABELS: truth,
  }
  return tf.nest.map_structure(lambda x: tf.constant(np.concatenate([x, x])), batch)


class FlipTest(tf.test.TestCase):
  def setUp(self):
    super().setUp()
    self.batch = _two_views()
    self.flipped = element.flip_left_right(self.batch, tf.constant([True, False]))

  def test_only_chosen_samples_change(self):
    tf.nest.map_structure(
      lambda x, y: self.assertAllEqual(x[1], y[1]), self.batch, dict(self.flipped)
    )
    self.assertAllEqual(self.flipped[element.SAMPLE_ID], self.batch[element.SAMPLE_ID])

  def test_image_and_depth_are_reversed_exactly(self):
    for path in ((element.IMAGE,), (element.LABELS, "depth")):
      was, now = self.batch, self.flipped
      for key in path:
        was, now = was[key], now[key]
      self.assertAllEqual(now[0], was.numpy()[0, :, :, ::-1])

  def test_twice_is_once_not_at_all(self):
    back = element.flip_left_right(self.flipped, tf.constant([True, False]))
    self.assertAllEqual(back.pop(element.SAMPLE_ID), self.batch.pop(element.SAMPLE_ID))
    tf.nest.map_structure(self.assertAllClose, self.batch, back)

  def test_normals_of_mirrored_depth_are_the_mirrored_normals(self):
    # On planes the normals of depth are exact: mirrored depth with mirrored intrinsics must have the mirrored labels,
    # but where the differences of depth span two planes.
    labels, intrinsics = self.flipped[element.LABELS], self.flipped[element.INTRINSICS]
    normals, _ = surface_normals.depth_to_normals(labels["depth"], intrinsics)
    cosine = tf.reduce_sum(normals * labels["normals"], axis=-1)
    before, _ = surface_normals.depth_to_normals(
      self.batch[element.LABELS]["depth"], self.batch[element.INTRINSICS]
    )
    share = tf.reduce_mean(tf.cast(cosine > 1 - 1e-5, tf.float32))
    self.assertGreater(float(share), 0.7)
    mirrored = before.numpy()[0, :, :, ::-1] * [-1, 1, 1]
    self.assertAllClose(normals[0], mirrored, atol=1e-4)
    self.assertAllClose(intrinsics[0, 0, 0, 2], _WIDTH - 1 - 0.47 * _WIDTH)

  def test_skew_keeps_its_meaning(self):
    skewed = self.batch[element.INTRINSICS] + tf.constant([[0.0, 3.0, 0], [0, 0, 0], [0, 0, 0]])
    batch = {**self.batch, element.INTRINSICS: skewed}
    mirrored = element.flip_left_right(batch, tf.constant([True, True]))
    point = np.array([0.3, -0.2, 2.0])
    pixel = skewed.numpy()[0, 0] @ point
    other = mirrored[element.INTRINSICS].numpy()[0, 0] @ (point * [-1, 1, 1])
    self.assertAllClose(other / 2, [_WIDTH - 1 - pixel[0] / 2, pixel[1] / 2, 1], atol=1e-4)

  def test_reprojection_of_mirrored_views_is_the_mirrored_reprojection(self):
    pixels, depths = _reproject(self.batch)
    mirrored_pixels, mirrored_depths = _reproject(self.flipped)
    x, y = pixels[0, :, ::-1, 0], pixels[0, :, ::-1, 1]
    self.assertAllClose(mirrored_pixels[0], np.stack([_WIDTH - 1 - x, y], -1), atol=1e-3)
    self.assertAllClose(mirrored_depths[0], depths[0, :, ::-1], atol=1e-4)
    self.assertGreater(np.abs(pixels[0] - mirrored_pixels[0]).max(), 1)

  def test_object_motion_is_mirrored_as_a_vector(self):
    motion = np.random.RandomState(0).normal(size=[2, 2, _HEIGHT, _WIDTH, 3])
    labels = {name: tf.constant(motion) for name in ("object_motion", "object_motion_back")}
    batch = {**self.batch, element.LABELS: labels}
    flipped = element.flip_left_right(batch, tf.constant([True, False]))[element.LABELS]
    for name in labels:
      self.assertAllClose(flipped[name][0], motion[0, :, :, ::-1] * [-1, 1, 1])
      self.assertAllClose(flipped[name][1], motion[1])

  def test_works_without_pose_and_labels(self):
    batch = {k: v for k, v in self.batch.items() if k not in (element.POSE, element.LABELS)}
    flipped = element.flip_left_right(batch, tf.constant([True, False]))
    self.assertEqual(set(flipped), set(batch))


def _reproject(batch):
  """Where the second frame shows the first one's pixels, and their depth there."""
  pose, intrinsics = batch[element.POSE], batch[element.INTRINSICS]
  pixels, depth, _ = warping.reproject(
    batch[element.LABELS]["depth"][:, 0],
    intrinsics[:, 0],
    intrinsics[:, 1],
    cameras.relative_pose(pose[:, 0], pose[:, 1]),
  )
  return pixels.numpy(), depth.numpy()


class SelectTest(tf.test.TestCase):
  def test_keeps_what_is_asked_for(self):
    sample = {
      element.IMAGE: tf.zeros([3, 4, 4, 3], tf.uint8),
      element.INTRINSICS: tf.zeros([3, 3, 3]),
      element.POSE: tf.zeros([3, 4, 4]),
      element.SAMPLE_ID: tf.constant("a"),
      element.LABELS: {"depth": tf.zeros([3, 4, 4, 1]), "normals": tf.zeros([3, 4, 4, 3])},
    }
    selected = element.select(sample, 2, ("normals",), pose=True)
    self.assertEqual(set(selected[element.LABELS]), {"normals"})
    for value in (selected[element.IMAGE], selected[element.POSE], selected[element.INTRINSICS]):
      self.assertEqual(value.shape[0], 2)
    bare = element.select(sample, 1, (), pose=False)
    self.assertEqual(set(bare), {element.IMAGE, element.INTRINSICS, element.SAMPLE_ID})


class FramesTest(tf.test.TestCase):
  def test_fold_keeps_order_and_comes_back(self):
    x = tf.reshape(tf.range(2 * 3 * 4), [2, 3, 4])
    folded = element.fold_frames(x)
    self.assertAllEqual(folded[4], x[1, 1])
    self.assertAllEqual(element.unfold_frames(folded, 3), x)

  def test_static_shapes_survive_an_unknown_batch(self):
    @tf.function(input_signature=[tf.TensorSpec([None, 3, 4, 5, 1])])
    def shapes(x):
      folded = element.fold_frames(x)
      self.assertEqual(folded.shape.as_list(), [None, 4, 5, 1])
      self.assertEqual(element.unfold_frames(folded, 3).shape.as_list(), [None, 3, 4, 5, 1])
      return folded

    shapes.get_concrete_function()


class FoldTest(tf.test.TestCase):
  def test_pairs_in_order(self):
    image = tf.reshape(tf.range(2 * 3 * 4 * 5 * 3), [2, 3, 4, 5, 3])
    folded = element.fold(image, "pair")
    self.assertEqual(folded.shape, [8, 4, 5, 6])
    self.assertEqual(element.count("pair", 3), 4)
    unfolded = element.unfold_frames(folded, 4)
    for i, (source, target) in enumerate(((0, 1), (1, 0), (1, 2), (2, 1))):
      self.assertAllEqual(unfolded[:, i, ..., :3], image[:, source])
      self.assertAllEqual(unfolded[:, i, ..., 3:], image[:, target])
    self.assertAllEqual(element.fold(image, "frame"), element.fold_frames(image))
    self.assertEqual(element.count("frame", 3), 3)

  def test_one_frame_makes_no_pair(self):
    with self.assertRaisesRegex(ValueError, "2 or more frames. Received: 1"):
      element.fold(tf.zeros([1, 1, 4, 5, 3]), "pair")


class SubsampleTest(tf.test.TestCase, parameterized.TestCase):
  def test_pixel_of_the_prediction_is_a_pixel_of_the_image(self):
    label = tf.reshape(tf.range(8 * 12), [1, 1, 8, 12, 1])
    small = element.subsample({"depth": label}, 2, 3)["depth"]
    for y in range(2):
      for x in range(3):
        self.assertEqual(small[0, 0, y, x, 0], label[0, 0, 4 * y, 4 * x, 0])
    self.assertAllEqual(element.subsample({"depth": label}, 8, 12)["depth"], label)

  def test_what_holds_of_the_whole_frame_stays(self):
    label = tf.ones([1, 2, 1, 1, 3])
    self.assertAllEqual(element.subsample({"rotation": label}, 4, 6)["rotation"], label)

  @parameterized.parameters((3, 4), (4, 12), (16, 24), (4, 5))
  def test_refuses_other_sizes(self, height, width):
    message = f"'depth' is 8x12 but the prediction is {height}x{width}"
    with self.assertRaisesRegex(ValueError, message):
      element.subsample({"depth": tf.zeros([1, 1, 8, 12, 1])}, height, width)

  def test_stride_agrees_with_scaled_intrinsics(self):
    # Intrinsics divided by the stride project a point to the subsampled pixel: depth and rays still fit together.
    batch = _two_views()
    labels = element.subsample(batch[element.LABELS], _HEIGHT // 2, _WIDTH // 2)
    small = cameras.scale_intrinsics(batch[element.INTRINSICS], 0.5)
    points = cameras.depth_to_points(batch[element.LABELS]["depth"], batch[element.INTRINSICS])
    self.assertAllClose(
      cameras.depth_to_points(labels["depth"], small), points[:, :, ::2, ::2], atol=1e-5
    )


if __name__ == "__main__":
  tf.test.main()
