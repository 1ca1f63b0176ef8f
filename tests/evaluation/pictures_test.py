"""Tests of colours, errors and grids."""

import io

import numpy as np
from absl.testing import absltest
from PIL import Image

from tests.evaluation import paper_walls
from tf_taskology.evaluation import pictures


class PicturesTest(absltest.TestCase):
  def test_depth_colors_depend_on_the_range_alone(self):
    depth = np.array([[[1.0], [3.0], [0.0], [9.0]]])
    colors = pictures.colorize_depth(depth, 1.0, 3.0)[0]
    np.testing.assert_array_equal(colors[2], [128, 128, 128])
    np.testing.assert_array_equal(colors[1], colors[3])  # beyond the range is the end of the scale
    self.assertGreater(colors[0][0], colors[0][2])  # near is red
    self.assertGreater(colors[1][2], colors[1][0])  # far is blue

  def test_depth_range_leaves_out_missing_pixels(self):
    truth = np.concatenate([np.zeros(100), np.linspace(1, 3, 101)]).reshape(1, -1, 1)
    np.testing.assert_allclose(pictures.depth_range(truth), (1.04, 2.96))
    self.assertEqual(pictures.depth_range(np.zeros([2, 2, 1])), (0.0, 1.0))

  def test_normals_colors(self):
    normals = np.array([[[0, 0, -2], [1, 0, 0], [0, -1, 0], [0, 0, 0]]], np.float32)
    np.testing.assert_array_equal(
      pictures.normals_to_rgb(normals)[0],
      [[128, 128, 255], [255, 128, 128], [128, 255, 128], [128, 128, 128]],
    )

  def test_errors(self):
    truth, answer = np.array([[[2.0], [0.0]]]), np.array([[[3.0], [1.0]]])
    np.testing.assert_array_equal(pictures.relative_error(truth, answer), [[0.5, np.nan]])
    normals = np.array([[[0, 0, -1], [0, 0, -1]]], np.float32)
    turned = np.array([[[0, -1, -1], [0, 0, 0]]], np.float32)
    np.testing.assert_allclose(pictures.angle_error(normals, turned), [[45, np.nan]])
    colors = pictures.colorize_error(np.array([[0.0, 1.0, np.nan]]), 1.0)[0]
    self.assertLess(colors[0].sum(), 10)
    self.assertGreater(colors[1].sum(), 600)
    np.testing.assert_array_equal(colors[2], [128, 128, 128])

  def test_normals_of_a_slanted_wall(self):
    element = next(paper_walls.source(1).dataset("test").as_numpy_iterator())
    depth = element["labels"]["depth"][0]
    normals = pictures.normals_from_depth(depth, element["intrinsics"][0])
    self.assertEqual(normals.shape, depth.shape[:2] + (3,))
    np.testing.assert_array_equal(normals[:, 0], 0)  # unlabelled column
    np.testing.assert_allclose(np.linalg.norm(normals[:, 1:], axis=-1), 1, atol=1e-5)
    self.assertLess(normals[12, 16, 2], 0)

  def test_colours_of_classes_and_motion(self):
    numbers = np.array([[[0], [13], [200], [255]]], np.uint8)
    colors = pictures.colorize_classes(numbers)[0]
    np.testing.assert_array_equal(colors[[0, 1, 3]], [[128, 64, 128], [0, 0, 142], [128, 128, 128]])
    self.assertLen(np.unique(pictures.class_colors()[:60], axis=0), 60)
    field = np.array([[[0, 0, 9], [9, 0, 0], [0, 0, 0], [np.nan] * 3]])
    ahead, right, still, unknown = pictures.colorize_motion(field, 2.0)[0].astype(int)
    self.assertEqual((ahead[0], np.argmax(right)), (255, 1))
    np.testing.assert_array_equal(still, [0, 0, 0])
    np.testing.assert_array_equal(unknown, [128, 128, 128])

  def test_few_colours_stay_as_they_are(self):
    flat = np.zeros([40, 40, 3], np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, [40, 40, 3]).astype(np.uint8)
    self.assertEqual(pictures.small(flat)[0], "png")
    self.assertEqual(pictures.small(noise)[0], "jpeg")

  def test_grid(self):
    red = np.full([20, 40, 3], (255, 0, 0), np.uint8)
    rows = [
      [pictures.Tile(red, "one"), pictures.Tile(None, "name\nmore")],
      [pictures.Tile(red), pictures.Tile(red)],
    ]
    image = pictures.grid(["a", "b"], rows, tile_width=80)
    self.assertEqual(image.shape[1], 2 * 84 + 4)
    # Three tiles of 80 x 40.
    self.assertEqual(np.count_nonzero(np.all(image == (255, 0, 0), axis=-1)), 3 * 80 * 40)
    decoded = np.asarray(Image.open(io.BytesIO(pictures.png(image))))
    np.testing.assert_array_equal(decoded, image)


if __name__ == "__main__":
  absltest.main()
