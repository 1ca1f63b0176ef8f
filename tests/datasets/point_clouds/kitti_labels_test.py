"""Tests of datasets/point_clouds/kitti_labels.py."""

import os

import numpy as np
from absl.testing import absltest, parameterized

from tests.datasets.point_clouds import fixtures
from tf_taskology.datasets.point_clouds import box_frames, kitti_labels
from tf_taskology.datasets.video import kitti_files


class KittiLabelsTest(parameterized.TestCase):
  def write(self, text):
    return fixtures.save_text(os.path.join(self.create_tempdir().full_path, "labels.txt"), text)

  @parameterized.parameters(0.0, 0.6, 1.57, -1.57, 3.1, -2.5)
  def test_a_box_put_somewhere_in_the_camera_holds_its_points_in_the_lidar(self, angle):
    """The truth is made in camera axes alone: points of a box at a known place, turned about y."""
    height, width, length = 1.5, 1.7, 4.1
    bottom = np.array([3.0, 1.6, 14.0])
    generator = np.random.default_rng(0)
    local = generator.uniform(-0.5, 0.5, (500, 3))  # along length, height, width
    cosine, sine = np.cos(angle), np.sin(angle)
    turned = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    sizes = np.array([length, height, width])
    inside = (0.995 * local * sizes) @ turned.T + bottom - (0, height / 2, 0)
    faces = local.copy()
    axis = generator.choice([0, 2], 500)
    faces[np.arange(500), axis] = np.sign(faces[np.arange(500), axis]) * 0.54
    outside = (faces * sizes) @ turned.T + bottom - (0, height / 2, 0)
    # Upright for both, so that the comparison is exact: axes are swapped, not tilted.
    to_camera = np.array([[0, -1, 0, 0.1], [0, 0, -1, -0.2], [1, 0, 0, -0.3], [0, 0, 0, 1.0]])
    line = f"Car 0 0 0 0 0 10 50 {height} {width} {length} {fixtures.words(bottom)} {angle}"
    path = self.write(line)
    found = kitti_labels.boxes(
      kitti_labels.read_objects(path), path, np.linalg.inv(to_camera)
    ).boxes
    to_lidar = np.linalg.inv(to_camera)
    for points, count in ((inside, 500), (outside, 0)):
      moved = points @ to_lidar[:3, :3].T + to_lidar[:3, 3]
      self.assertEqual(box_frames.count_points(found, moved)[0], count)
    front = turned @ (1, 0, 0) @ to_lidar[:3, :3].T
    np.testing.assert_allclose((np.cos(found[0, 6]), np.sin(found[0, 6]), 0), front, atol=1e-12)

  def test_tilted_calibration_moves_the_middle_exactly(self):
    path = self.write(fixtures.kitti_line(1, 2))
    to_lidar = np.linalg.inv(fixtures.kitti_to_camera())
    found = kitti_labels.boxes(kitti_labels.read_objects(path), path, to_lidar).boxes[0]
    truth = fixtures.box(1, 2) - (0, 0, fixtures.SENSOR_HEIGHT, 0, 0, 0, 0)
    np.testing.assert_allclose(found[:6], truth[:6], atol=1e-9)
    self.assertAlmostEqual(found[6], truth[6], delta=1e-3)

  def test_difficulty(self):
    heights = np.array([41, 40, 30, 30, 30, 30, 20, 50])
    occluded = np.array([0, 0, 0, 1, 2, 3, 0, 0])
    truncated = np.array([0, 0, 0.2, 0.3, 0.5, 0, 0, 0.16])
    np.testing.assert_array_equal(
      kitti_labels.difficulty(heights, occluded, truncated), [1, 2, 2, 2, 3, 4, 4, 2]
    )

  @parameterized.parameters(
    ("Car 0 0 0", "line 1: 15 words .or a score more. are expected. Received: 4"),
    ("Car 0 0 x" + " 1" * 11, "line 1: could not convert string to float: 'x'"),
    ("\nTank" + " 1" * 14, "line 2: unknown class 'Tank'. Known: 'Car', 'Van'"),
    (
      "Car" + " 1" * 8 + " 0" + " 1" * 5,
      "line 1: length, width and height must be > 0 metres. Received: 1, 0, 1",
    ),
    ("Car" + " 1" * 13 + " nan", "line 1: 7 finite numbers are expected. Received: .*nan"),
  )
  def test_bad_lines(self, text, message):
    path = self.write(text + "\n")
    with self.assertRaisesRegex(ValueError, f"labels.txt', {message}"):
      kitti_labels.boxes(kitti_labels.read_objects(path), path, np.eye(4))

  def test_regions_without_boxes_and_empty_files(self):
    path = self.write("DontCare -1 -1 -10 5 229 214 367 -1 -1 -1 -1000 -1000 -1000 -10\n")
    self.assertEmpty(kitti_labels.read_objects(path))
    self.assertEqual(kitti_labels.boxes([], path, np.eye(4)).boxes.shape, (0, 7))

  def test_calibration(self):
    for colons in (True, False):
      path = self.write(fixtures.kitti_calibration(colons))
      fields = kitti_files.read_calibration(path)
      np.testing.assert_allclose(
        kitti_labels.lidar_to_camera(fields, path), fixtures.kitti_to_camera(), atol=1e-12
      )
      np.testing.assert_allclose(kitti_labels.imu_to_lidar(fields, path), fixtures.IMU_TO_LIDAR)
    path = self.write(
      fixtures.kitti_calibration().replace("Tr_velo_to_cam: ", "Tr_velo_to_cam: 1 ")
    )
    with self.assertRaisesRegex(
      ValueError, "Tr_velo_to_cam of .* must hold 12 numbers. Received: 13"
    ):
      kitti_labels.lidar_to_camera(kitti_files.read_calibration(path), path)
    path = self.write("P2: 1\n")
    with self.assertRaisesRegex(ValueError, "R0_rect"):
      kitti_labels.lidar_to_camera(kitti_files.read_calibration(path), path)

  def test_in_view(self):
    to_camera = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    projection = np.array([[100.0, 0, 50, 0], [0, 100, 20, 0], [0, 0, 1, 0]])
    points = np.array(
      [
        [10, 0, 0],
        [10, 4.9, 0],
        [10, 5.1, 0],
        [10, -4.9, 0],
        [10, -5.1, 0],
        [-10, 0, 0],
        [10, 0, 2.1],
        [np.nan, 0, 0],
      ]
    )
    seen = kitti_labels.in_view(points, to_camera, projection, (40, 100))
    self.assertEqual(seen.tolist(), [True, True, False, True, False, False, False, False])


if __name__ == "__main__":
  absltest.main()
