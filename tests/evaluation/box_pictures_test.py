"""Tests of evaluation/box_pictures.py."""

import numpy as np
from absl.testing import absltest

from tf_taskology.evaluation import box_pictures

_VIEW = box_pictures.View((-10.0, 30.0), (-20.0, 20.0), 400)


def _box(x, y, heading=0.0):
  return np.array([[x, y, 0.8, 4.0, 2.0, 1.6, heading]], np.float32)


def _is(pixel, colour):
  return np.abs(pixel.astype(int) - colour).max() < 60


class BoxPicturesTest(absltest.TestCase):
  def test_x_points_up_and_y_to_the_left(self):
    self.assertEqual(_VIEW.shape, (400, 400))
    np.testing.assert_allclose(_VIEW.pixels(np.array([30.0, 20.0])), [0, 0])
    np.testing.assert_allclose(_VIEW.pixels(np.array([-10.0, -20.0])), [400, 400])
    canvas = box_pictures.Canvas(_VIEW)
    canvas.points(np.array([[20.0, 10.0, 2.4]]))
    image = canvas.image()
    row, column, _ = np.unravel_index(np.argmax(image[:250]), image[:250].shape)
    self.assertLess(max(abs(row - 100), abs(column - 100)), 3)

  def test_points_outside_do_no_harm(self):
    canvas = box_pictures.Canvas(_VIEW)
    before = canvas.image()
    canvas.points(np.array([[500.0, 0, 0], [-500, 0, 0], [0, 500, 0], [0, -500, 0]]))
    canvas.points(np.zeros((0, 3), np.float16))
    np.testing.assert_array_equal(canvas.image(), before)

  def test_higher_points_are_brighter(self):
    canvas = box_pictures.Canvas(_VIEW)
    canvas.points(np.array([[20.0, y, z] for y, z in ((8, 0.0), (4, 1.0), (0, 2.4))]))
    image = canvas.image().max(axis=-1)
    brightness = [int(image[95:105, c - 3 : c + 4].max()) for c in (120, 160, 200)]
    self.assertEqual(brightness, sorted(brightness))
    self.assertLess(brightness[0] + 40, brightness[2])

  def test_a_box_is_an_outline_with_a_front(self):
    canvas = box_pictures.Canvas(_VIEW)
    canvas.boxes(_box(15, 0), (255, 0, 0), width=2)
    image = canvas.image()
    for x, y, drawn in (
      (17, 0.5, True),
      (15, 1, True),
      (15, -1, True),
      (13, 0, True),
      (16.5, 0, True),
      (13.8, 0, False),
    ):
      column, row = _VIEW.pixels(np.array([x, y])).round().astype(int)
      around = image[row - 1 : row + 2, column - 1 : column + 2, 0].max()
      self.assertEqual(bool(around > 120), drawn, (x, y))

  def test_filled_and_dimmed_boxes(self):
    canvas = box_pictures.Canvas(_VIEW)
    canvas.boxes(_box(15, 0), (255, 0, 0), fill=1.0)
    canvas.boxes(_box(15, 10), (255, 0, 0), strength=0.3)
    image = canvas.image()
    self.assertTrue(_is(image[158, 200], (255, 0, 0)))
    self.assertLess(image[..., 0][:, 85:115].max(), 120)

  def test_paths(self):
    canvas = box_pictures.Canvas(_VIEW)
    canvas.path(np.array([[0.0, 0], [10, 0], [10, 10]]), (0, 255, 0))
    canvas.dot(np.array([20.0, 0]), (0, 0, 255), 4)
    image = canvas.image()
    self.assertTrue(_is(image[250, 200], (0, 255, 0)))
    self.assertTrue(_is(image[200, 150], (0, 255, 0)))
    self.assertTrue(_is(image[100, 200], (0, 0, 255)))
    thick = [np.sum(image[180:220, c, 1] > 120) for c in (150, 104)]
    self.assertGreater(thick[1], thick[0])  # the head of the arrow

  def test_judged(self):
    true = np.concatenate([_box(0, 0), _box(10, 0)])
    boxes = np.concatenate([_box(0.3, 0), _box(0, 0), _box(20, 0)])
    right, found = box_pictures.judged(boxes, np.array([0.5, 0.9, 0.8]), true)
    self.assertEqual((right.tolist(), found.tolist()), ([False, True, False], [True, False]))
    right, found = box_pictures.judged(boxes[:0], np.zeros(0), true)
    self.assertEqual((right.tolist(), found.tolist()), ([], [False, False]))

  def test_views_show_boxes_and_the_sensor(self):
    points = np.random.default_rng(0).uniform(5, 30, (500, 3))
    view = box_pictures.view_of(points, _box(60, -30))
    self.assertBetween(60, *view.x)
    self.assertBetween(-30, *view.y)
    self.assertBetween(0, *view.x)
    many = np.concatenate([_box(x, 5) for x in range(12)] + [_box(100, 0)])
    self.assertLess(box_pictures.view_of(points, many).x[1], 60)
    empty = box_pictures.view_of(np.zeros((0, 3)), np.zeros((0, 7)))
    self.assertGreaterEqual(min(empty.shape), 1)


if __name__ == "__main__":
  absltest.main()
