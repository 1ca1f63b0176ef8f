"""Tests of datasets/point_clouds/sweep_folder.py."""

import os

import numpy as np
from absl.testing import absltest, parameterized

from tests.datasets.point_clouds import fixtures
from tf_taskology.datasets.point_clouds import sweep_folder


class SweepFolderTest(parameterized.TestCase):
  def write(self, **arguments):
    return fixtures.sweep_folder(self.create_tempdir().full_path, **arguments)

  @parameterized.parameters(".bin", ".npy")
  def test_points_boxes_and_poses(self, ending):
    data = sweep_folder.SweepFolder(self.write(ending=ending, count=11))
    (clip,) = data.clips()
    self.assertEqual([sweep.name for sweep in clip.frames], [str(i) for i in range(11)])
    self.assertEqual(data.labels, ("boxes", "classes", "tracks", "box_points"))
    for index, sweep in enumerate(clip.frames):
      np.testing.assert_allclose(data.read_points(clip, sweep), fixtures.points(index), atol=1e-5)
      boxes = data.read_boxes(clip, sweep)
      np.testing.assert_allclose(
        boxes.boxes, [fixtures.box(track, index) for track in (0, 1)], atol=1e-9
      )
      self.assertEqual((list(boxes.names), list(boxes.tracks)), (["vehicle"] * 2, ["v0", "v1"]))
      np.testing.assert_allclose(sweep.pose, fixtures.car_pose(index), atol=1e-12)

  def test_folders_of_folders_without_tables(self):
    folder = self.create_tempdir().full_path
    for name in ("a", "b"):
      fixtures.sweep_folder(os.path.join(folder, name), count=2, boxes=False, poses=False)
    data = sweep_folder.SweepFolder(folder)
    self.assertEqual([clip.name for clip in data.clips()], ["a", "b"])
    self.assertEqual(data.labels, ())

  def test_other_columns_and_scales(self):
    folder = self.create_tempdir().full_path
    points = np.arange(10.0).reshape(2, 5)
    fixtures.save_points(os.path.join(folder, "0.bin"), points)
    np.save(os.path.join(folder, "1.npy"), points[:, :3])
    data = sweep_folder.SweepFolder(folder, columns=5, intensity_scale=2.0)
    (clip,) = data.clips()
    np.testing.assert_allclose(data.read_points(clip, clip.frames[0]), points[:, :4] / (1, 1, 1, 2))
    np.testing.assert_allclose(data.read_points(clip, clip.frames[1]), np.c_[points[:, :3], [0, 0]])

  def test_times_cut_clips(self):
    folder = self.write(times=(0, 0.5, 1.02, 2.5, 3.0))
    name = os.path.basename(folder)
    clips = sweep_folder.SweepFolder(folder).clips()
    self.assertEqual([clip.name for clip in clips], [f"{name}@0", f"{name}@3"])

  @parameterized.parameters(
    (("2.bin,", "9.bin,"), "line 7: there is no point file '9'"),
    (
      (",4.2,", ",0,"),
      "line 2: length, width and height must be > 0 metres. Received: 0, 1.8, 1.6",
    ),
    ((",4.2,", ",long,"), "line 2, length: could not convert string to float: 'long'"),
    ((",1.6\n", ",1.6,7\n"), "line 2: 10 values are expected. Received: 11"),
    (("vehicle,", "tank,"), "line 2: unknown class 'tank'. Known: 'vehicle'"),
    (("track,heading,", "track;heading;"), "line 1: the columns .* with commas between them"),
    (("v0,", "v0,9"), r"line 2, heading: radians are expected, .* Received: 9.* \(degrees\?\)"),
    (("heading", "yaw"), "line 1: the columns file,x,.* Received: class,track,yaw"),
  )
  def test_bad_tables(self, change, message):
    folder = self.write()
    path = os.path.join(folder, "boxes.csv")
    with open(path, encoding="utf-8") as file:
      text = file.read()
    self.assertIn(change[0], text)
    fixtures.save_text(path, text.replace(*change))
    data = sweep_folder.SweepFolder(folder)
    with self.assertRaisesRegex(ValueError, f"boxes.csv', {message}"):
      (clip,) = data.clips()
      data.read_boxes(clip, clip.frames[0])

  def test_tables_of_other_programs(self):
    folder = self.write(count=2)
    first, second = (os.path.join(folder, name) for name in ("0.bin", "1.bin"))
    os.rename(first, os.path.join(folder, "0.BIN"))
    os.rename(second, os.path.join(folder, "1 é.bin"))
    path = os.path.join(folder, "boxes.csv")
    with open(path, encoding="utf-8") as file:
      lines = file.read().replace("0.bin", "0.BIN").replace(",1.bin", ',"1 é.bin"').splitlines()
    del lines[3]  # names 1 without its ending
    text = "\r\n".join([lines[0], ",,,,,,,,,", *lines[1:], "", "  "])
    fixtures.save_text(path, "\ufeff" + text)
    fixtures.save_points(os.path.join(folder, "._0.bin"), np.zeros((1, 1)))
    data = sweep_folder.SweepFolder(folder)
    (clip,) = data.clips()
    self.assertEqual([sweep.name for sweep in clip.frames], ["0", "1 é"])
    np.testing.assert_allclose(
      data.read_points(clip, clip.frames[0]), fixtures.points(0), atol=1e-5
    )
    self.assertEqual([data.problem(sweep) for sweep in clip.frames], ["", ""])
    for index, sweep in enumerate(clip.frames):
      truth = [fixtures.box(track, index) for track in ((0, 1) if index == 0 else (1,))]
      np.testing.assert_allclose(data.read_boxes(clip, sweep).boxes, truth)
    with open(path, "w", encoding="latin-1") as file:
      file.write(text)
    with self.assertRaisesRegex(ValueError, "Cannot read '.*boxes.csv': 'utf-8' codec"):
      data.clips()

  def test_a_table_must_lie_beside_its_points(self):
    folder = self.create_tempdir().full_path
    drive = fixtures.sweep_folder(os.path.join(folder, "a"), count=2)
    os.rename(os.path.join(drive, "boxes.csv"), os.path.join(folder, "boxes.csv"))
    with self.assertRaisesRegex(ValueError, "boxes.csv' has no .bin or .npy files beside it"):
      sweep_folder.SweepFolder(folder).clips()

  def test_unequal_lengths(self):
    folder = self.write(times=(0, 1, 2))
    with self.assertRaisesRegex(ValueError, "times.txt' has 3 times, but there are 5 point files"):
      sweep_folder.SweepFolder(folder).clips()
    folder = self.write()
    path = os.path.join(folder, "poses.txt")
    fixtures.save_text(path, fixtures.words(np.eye(4)[:3]) + "\n")
    with self.assertRaisesRegex(ValueError, "poses.txt' has 1 poses, but there are 5 point files"):
      sweep_folder.SweepFolder(folder).clips()
    fixtures.save_text(path, (fixtures.words(2 * np.eye(4)[:3]) + "\n") * 5)
    with self.assertRaisesRegex(ValueError, "poses.txt', line 1: is no rigid transform"):
      sweep_folder.SweepFolder(folder).clips()

  def test_bad_points(self):
    folder = self.create_tempdir().full_path
    for i, array in enumerate(
      (np.zeros((3, 2)), np.zeros(4), np.zeros((0, 4)), np.array([["a"] * 4]))
    ):
      np.save(os.path.join(folder, f"{i}.npy"), array)
    data = sweep_folder.SweepFolder(folder)
    (clip,) = data.clips()
    for sweep, message in zip(
      clip.frames, (r"shape \(3, 2\)", r"shape \(4,\)", "is empty", "<U1"), strict=True
    ):
      with self.assertRaisesRegex(ValueError, f"{sweep.name}.npy'.*{message}"):
        data.read_points(clip, sweep)
    with self.assertRaisesRegex(ValueError, "columns must be >= 3"):
      sweep_folder.SweepFolder(folder, columns=2)

  def test_empty_folders(self):
    with self.assertRaisesRegex(ValueError, "no .bin or .npy file"):
      sweep_folder.SweepFolder(self.create_tempdir().full_path).clips()


if __name__ == "__main__":
  absltest.main()
