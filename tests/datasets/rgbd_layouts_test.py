"""Tests of datasets/rgbd_layouts.py and rgbd_files.py."""

import os

import numpy as np
from absl.testing import absltest, parameterized

from tests.datasets import rgbd_fixtures
from tf_taskology.datasets import rgbd_files, rgbd_layouts


class ReadTest(parameterized.TestCase):
  @parameterized.named_parameters((name, name) for name in rgbd_fixtures.LAYOUTS)
  def test_detects_and_reads(self, name):
    folder = rgbd_fixtures.LAYOUTS[name](self.create_tempdir().full_path)
    recording = rgbd_layouts.read(folder)
    self.assertEqual(recording.layout, name)
    self.assertGreaterEqual(len(recording.frames), 10)
    np.testing.assert_allclose(recording.intrinsics, rgbd_fixtures.CAMERA)
    for index, frame in enumerate(recording.frames):
      self.assertTrue(os.path.exists(frame.color), frame.color)
      self.assertTrue(os.path.exists(frame.depth), frame.depth)
      np.testing.assert_allclose(frame.pose, rgbd_fixtures.pose(index), atol=1e-9)
    self.assertEmpty(recording.orphans)

  def test_frames_are_in_natural_order(self):
    recording = rgbd_layouts.read(rgbd_fixtures.scannet(self.create_tempdir().full_path))
    self.assertEqual([frame.name for frame in recording.frames], [str(i) for i in range(12)])

  def test_order_of_names(self):
    folder = self.create_tempdir().full_path
    names = ["f1", "f10", "f2", "f02", "a", "f2b", "²"]
    for name in names:
      with open(os.path.join(folder, f"{name}.txt"), "w", encoding="utf-8-sig") as file:
        file.write("30 31 19 12\r\n")
    files = rgbd_files.list_files(folder, (".txt",))
    self.assertEqual(list(files), ["a", "f1", "f02", "f2", "f2b", "f10", "²"])
    np.testing.assert_array_equal(rgbd_files.read_matrix(files["a"])[0], (30, 0, 19))

  def test_order_of_times(self):
    folder = self.create_tempdir().full_path
    names = ["1611234567.98", "1611234567.100000001", "1611234568.0", "999999999.5", "1611234567"]
    for name in names:
      with open(os.path.join(folder, f"{name}.png"), "w", encoding="utf-8"):
        pass
    files = rgbd_files.list_files(folder, (".png",))
    self.assertEqual(list(files), [names[3], names[4], names[1], names[0], names[2]])

  def test_what_has_no_colour_is_an_orphan(self):
    folder = rgbd_fixtures.plain(self.create_tempdir().full_path)
    os.remove(os.path.join(folder, "image", "3.png"))
    recording = rgbd_layouts.read(folder)
    self.assertCountEqual(
      recording.orphans,
      [os.path.join(folder, "depth", "3.png"), os.path.join(folder, "pose", "3.txt")],
    )

  def test_an_unknown_folder_lists_the_layouts(self):
    folder = self.create_tempdir().full_path
    rgbd_fixtures.save_text(os.path.join(folder, "notes.txt"), [1])
    with self.assertRaisesRegex(ValueError, r"seven_scenes: .*plain: .*notes\.txt"):
      rgbd_layouts.read(folder)

  def test_no_folder(self):
    with self.assertRaisesRegex(FileNotFoundError, "'/nowhere'"):
      rgbd_layouts.read("/nowhere")

  def test_no_colour_images(self):
    folder = self.create_tempdir().full_path
    os.makedirs(os.path.join(folder, "image"))
    with self.assertRaisesRegex(ValueError, "no colour images in the layout 'plain'"):
      rgbd_layouts.read(folder)


class FilesTest(parameterized.TestCase):
  @parameterized.parameters(
    ("1 2 3 4", [[1, 0, 3], [0, 2, 4], [0, 0, 1]]),
    ("1,0,3\n0,2,4\n0,0,1", [[1, 0, 3], [0, 2, 4], [0, 0, 1]]),
    ("1 0 3 0  0 2 4 0  0 0 1 0  0 0 0 1", [[1, 0, 3], [0, 2, 4], [0, 0, 1]]),
  )
  def test_read_matrix(self, text, expected):
    path = self.create_tempfile(content=text).full_path
    np.testing.assert_array_equal(rgbd_files.read_matrix(path), expected)

  @parameterized.parameters("1 2 3", "fx 1")
  def test_read_matrix_names_a_bad_file(self, text):
    path = self.create_tempfile(content=text).full_path
    with self.assertRaisesRegex(ValueError, path):
      rgbd_files.read_matrix(path)

  def test_is_pose(self):
    self.assertTrue(rgbd_files.is_pose(rgbd_fixtures.pose(3)))
    self.assertFalse(rgbd_files.is_pose(None))
    self.assertFalse(rgbd_files.is_pose(np.full((4, 4), np.nan)))
    self.assertFalse(rgbd_files.is_pose(np.full((4, 4), -np.inf)))
    self.assertFalse(rgbd_files.is_pose(np.diag([1.0, 1.0, -1.0, 1.0])))
    self.assertFalse(rgbd_files.is_pose(np.diag([1.1, 1.1, 1.1, 1.0])))
    self.assertFalse(rgbd_files.is_pose(np.zeros((4, 4))))


if __name__ == "__main__":
  absltest.main()
