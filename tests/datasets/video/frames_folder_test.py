"""Tests of datasets/video/frames_folder.py."""

import os
from unittest import mock

import numpy as np
from absl.testing import absltest

from tests.datasets.video import fixtures
from tf_taskology.datasets import element
from tf_taskology.datasets.video import frames_folder, video_source


class FramesFolderTest(absltest.TestCase):
  def test_one_folder_in_natural_order(self):
    folder = fixtures.frames_folder(self.create_tempdir().full_path, count=11)
    (clip,) = frames_folder.FramesFolder(folder).clips()
    self.assertEqual([frame.name for frame in clip.frames], [str(i) for i in range(11)])
    np.testing.assert_array_equal(clip.intrinsics, fixtures.CAMERA)
    self.assertFalse(clip.has_poses)

  def test_endings_of_all_kinds_and_hidden_files(self):
    folder = fixtures.frames_folder(self.create_tempdir().full_path, count=3)
    for name in ("3.PNG", "4.JPG", "11.jpeg", os.path.join(".thumbnails", "1.png")):
      fixtures.save(os.path.join(folder, name), fixtures.image(0))
    fixtures.save_text(os.path.join(folder, "._1.png"), "what a Mac leaves beside 1.png")
    (clip,) = frames_folder.FramesFolder(folder).clips()
    self.assertEqual([frame.name for frame in clip.frames], ["0", "1", "2", "3", "4", "11"])
    fixtures.save(os.path.join(folder, "2.jpg"), fixtures.image(0))
    with self.assertRaisesRegex(ValueError, "has '2.jpg' and '2.png': which of the two"):
      frames_folder.FramesFolder(folder).clips()

  def test_paths_as_they_are_typed(self):
    root = self.create_tempdir().full_path
    folder = fixtures.frames_folder(os.path.join(root, "Fahrt 1 [grün]"), count=2)
    self.addCleanup(os.chdir, os.getcwd())
    os.chdir(folder)
    with mock.patch.dict(os.environ, {"HOME": root}):
      for path in (".", "../Fahrt 1 [grün]/", "~/Fahrt 1 [grün]"):
        (clip,) = frames_folder.FramesFolder(path).clips()
        self.assertEqual(clip.name, "Fahrt 1 [grün]")
        self.assertEqual(clip.frames[1].image, os.path.join(folder, "1.png"))

  def test_names_that_are_no_text(self):
    folder = fixtures.frames_folder(self.create_tempdir().full_path, count=2)
    os.rename(os.path.join(folder, "0.png"), os.fsencode(folder) + b"/0\xe9.png")
    data = frames_folder.FramesFolder(folder)
    source = video_source.VideoSource(data, num_frames=2, splits={"train": (0.0, 1.0)})
    (sample,) = source.dataset("train")
    self.assertEndsWith(sample[element.SAMPLE_ID].numpy().decode(), "0\\udce9")

  def test_folders_share_or_own_their_intrinsics(self):
    root = self.create_tempdir().full_path
    fixtures.frames_folder(os.path.join(root, "a"), intrinsics=False)
    fixtures.frames_folder(os.path.join(root, "b"))
    fixtures.save_text(os.path.join(root, "intrinsics.txt"), "20 20 19 11")
    first, second = frames_folder.FramesFolder(root).clips()
    self.assertEqual((first.name, second.name), ("a", "b"))
    self.assertEqual(first.intrinsics[0, 0], 20)
    self.assertEqual(second.intrinsics[0, 0], 30)

  def test_without_intrinsics(self):
    folder = fixtures.frames_folder(self.create_tempdir().full_path, intrinsics=False)
    (clip,) = frames_folder.FramesFolder(folder).clips()
    self.assertIsNone(clip.intrinsics)
    self.assertIn("intrinsics.txt", clip.calibration)
    (clip,) = frames_folder.FramesFolder(folder, (20, 21, 19, 11)).clips()
    np.testing.assert_array_equal(clip.intrinsics, [[20, 0, 19], [0, 21, 11], [0, 0, 1]])

  def test_poses(self):
    folder = fixtures.frames_folder(self.create_tempdir().full_path, count=2)
    lines = [
      fixtures.words(np.eye(4)[:3]),
      fixtures.words([[1, 0, 0, 7], [0, 1, 0, 8], [0, 0, 1, 9]]),
    ]
    path = fixtures.save_text(os.path.join(folder, "poses.txt"), "\n".join(lines))
    (clip,) = frames_folder.FramesFolder(folder).clips()
    np.testing.assert_array_equal(clip.frames[1].pose[:3, 3], [7, 8, 9])
    fixtures.save_text(path, lines[0])
    with self.assertRaisesRegex(ValueError, "poses.txt' has 1 poses, but there are 2 images"):
      frames_folder.FramesFolder(folder).clips()

  def test_bad_folders(self):
    empty = self.create_tempdir().full_path
    with self.assertRaisesRegex(ValueError, "has no images .*jpg"):
      frames_folder.FramesFolder(empty).clips()
    with self.assertRaisesRegex(FileNotFoundError, "does not exist"):
      frames_folder.FramesFolder(os.path.join(empty, "nothing")).clips()
    with self.assertRaisesRegex(ValueError, r"\(fx, fy, cx, cy\)"):
      frames_folder.FramesFolder(empty, (1, 2, 3))


if __name__ == "__main__":
  absltest.main()
