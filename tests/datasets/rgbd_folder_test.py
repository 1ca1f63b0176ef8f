"""Tests of datasets/rgbd_folder.py and rgbd_index.py."""

import os

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.datasets import rgbd_fixtures
from tf_taskology.datasets import rgbd_folder

_ALL = {"train": (0.0, 1.0)}


def _first(source, split="train"):
  return next(iter(source.dataset(split).as_numpy_iterator()))


class RgbdFolderTest(parameterized.TestCase, tf.test.TestCase):
  def folder(self, layout="seven_scenes", **arguments):
    return rgbd_fixtures.LAYOUTS[layout](self.create_tempdir().full_path, **arguments)

  @parameterized.parameters(*rgbd_fixtures.LAYOUTS)
  def test_elements_have_their_spec_and_depth_is_metric(self, layout):
    source = rgbd_folder.RgbdFolder(self.folder(layout), num_frames=2, frame_step=3, splits=_ALL)
    dataset = source.dataset("train")
    self.assertEqual(dataset.element_spec, source.element_spec)
    elements = list(dataset.as_numpy_iterator())
    self.assertLen(elements, source.num_samples("train"))
    for index, sample in enumerate(elements[:2]):
      self.assertAllEqual(sample["image"][1], rgbd_fixtures.color(index + 3))
      self.assertAllClose(sample["pose"][1], rgbd_fixtures.pose(index + 3), atol=1e-6)
      self.assertAllClose(sample["intrinsics"][0], rgbd_fixtures.CAMERA)
      known = sample["labels"]["depth"][0, ..., 0] > 0
      self.assertGreater(known.mean(), 0.8)
      error = np.abs(sample["labels"]["depth"][0, ..., 0] - rgbd_fixtures.depth(index))[known]
      # Depth of half the resolution is taken from the nearest ray, up to a pixel away.
      self.assertLess(error.max(), 0.06 if layout == "scannet" else 1e-3)
      self.assertLess(np.median(error), 0.03)

  def test_resized_depth_lies_on_the_same_plane_under_resized_intrinsics(self):
    source = rgbd_folder.RgbdFolder(self.folder(), image_size=(8, 8), splits=_ALL)
    sample = _first(source)
    camera = sample["intrinsics"][0].astype(np.float64)
    self.assertAllClose(camera, [[10, 0, (15.5 - 4 + 0.5) / 3 - 0.5], [0, 31 / 3, 3.5], [0, 0, 1]])
    # A factor of 3 puts new pixel centres on old ones, so the plane's depth is exact.
    self.assertAllClose(
      sample["labels"]["depth"][0, ..., 0], rgbd_fixtures.depth(0, camera, (8, 8)), atol=1e-3
    )

  def test_derived_normals_are_the_planes(self):
    folder = self.folder()
    for index in range(10):
      rgbd_fixtures.save_depth(
        os.path.join(folder, f"frame-{index:06d}.depth.png"), rgbd_fixtures.depth(index), 20000.0
      )
    source = rgbd_folder.RgbdFolder(folder, labels=("normals",), depth_scale=20000.0, splits=_ALL)
    normals = _first(source)["labels"]["normals"][0]
    self.assertAllClose(normals, np.broadcast_to(rgbd_fixtures.NORMAL, normals.shape), atol=0.02)

  def test_stored_normals(self):
    folder = self.folder("plain", normals=True)
    grey = np.full((*rgbd_fixtures.SIZE, 3), 127, np.uint8)
    grey[:12] = np.round((rgbd_fixtures.NORMAL + 1) * 127.5)
    rgbd_fixtures.save(os.path.join(folder, "normals", "0.png"), grey)
    normals = _first(rgbd_folder.RgbdFolder(folder, labels=("normals",)))["labels"]["normals"][0]
    self.assertAllClose(normals[0, 0], rgbd_fixtures.NORMAL, atol=0.01)
    self.assertAllClose(np.linalg.norm(normals[:12], axis=-1), np.ones((12, 32)))
    self.assertAllEqual(normals[12:], np.zeros((12, 32, 3)))

  def test_missing_depth_is_zero(self):
    folder = self.folder()
    pixels = np.full(rgbd_fixtures.SIZE, 2000, np.uint16)
    pixels[0], pixels[1] = 0, 65535
    rgbd_fixtures.save(os.path.join(folder, "frame-000000.depth.png"), pixels)
    depth = _first(rgbd_folder.RgbdFolder(folder))["labels"]["depth"][0, ..., 0]
    self.assertAllEqual(depth[:2], np.zeros((2, 32)))
    self.assertAllClose(depth[2:], np.full((22, 32), 2.0))

  def test_colour_only(self):
    folder = self.folder("plain")
    for kind in ("depth", "pose"):
      for name in os.listdir(os.path.join(folder, kind)):
        os.remove(os.path.join(folder, kind, name))
    source = rgbd_folder.RgbdFolder(folder, labels=(), num_frames=2, frame_step=1)
    self.assertNotIn("labels", source.element_spec)
    self.assertNotIn("pose", source.element_spec)
    self.assertEqual(_first(source)["image"].shape, (2, 24, 32, 3))
    with self.assertRaisesRegex(ValueError, r"no depth images.*RgbdFolder.labels = \(\)"):
      rgbd_folder.RgbdFolder(folder).num_samples("train")

  def test_splits_share_no_frame(self):
    source = rgbd_folder.RgbdFolder(self.folder(), num_frames=2, frame_step=1, labels=(), splits={
      "train": (0.0, 0.6), "test": (0.6, 1.0)
    })  # fmt: skip
    self.assertEqual((source.num_samples("train"), source.num_samples("test")), (5, 3))
    last = list(source.dataset("train").as_numpy_iterator())[-1]
    self.assertAllEqual(last["image"][1], rgbd_fixtures.color(5))
    self.assertAllEqual(_first(source, "test")["image"][0], rgbd_fixtures.color(6))
    with self.assertRaisesRegex(ValueError, "no split 'validation'. It has: train, test"):
      source.num_samples("validation")

  def test_sample_step(self):
    source = rgbd_folder.RgbdFolder(self.folder(), sample_step=4, labels=(), splits=_ALL)
    names = [
      os.path.basename(s["sample_id"].decode()) for s in source.dataset("train").as_numpy_iterator()
    ]
    self.assertEqual(names, ["frame-000000", "frame-000004", "frame-000008"])

  def test_several_folders_keep_their_own_cameras_and_units(self):
    tum, seven = self.folder("tum"), self.folder()
    rgbd_fixtures.save_text(os.path.join(tum, "intrinsics.txt"), [40, 40, 15, 12])
    source = rgbd_folder.RgbdFolder([seven, tum], splits=_ALL, sample_step=10)
    first, second = source.dataset("train").as_numpy_iterator()
    self.assertEqual(first["intrinsics"][0, 0, 0], 30)
    self.assertEqual(second["intrinsics"][0, 0, 0], 40)
    self.assertAllClose(first["labels"]["depth"], second["labels"]["depth"], atol=1e-3)

  def test_frames_with_an_invalid_pose_are_left_out(self):
    folder = self.folder()
    rgbd_fixtures.save_text(os.path.join(folder, "frame-000001.pose.txt"), np.full((4, 4), np.nan))
    source = rgbd_folder.RgbdFolder(folder, splits=_ALL)
    self.assertEqual(source.num_samples("train"), 9)
    with self.assertLogs(level="INFO") as logs:
      source.prepare()
    self.assertIn("1 frames without a valid pose", logs.output[0])

  def test_no_intrinsics_says_where_and_how(self):
    folder = self.folder()
    os.remove(os.path.join(folder, "camera-intrinsics.txt"))
    with self.assertRaisesRegex(
      ValueError, r"looked for '.*camera-intrinsics.txt'.*rgbd_folder.RgbdFolder.intrinsics = \(fx"
    ):
      rgbd_folder.RgbdFolder(folder).dataset("train")
    source = rgbd_folder.RgbdFolder(folder, intrinsics=(20, 21, 15, 11))
    self.assertAllEqual(_first(source)["intrinsics"][0], [[20, 0, 15], [0, 21, 11], [0, 0, 1]])

  def test_a_corrupt_image_is_named(self):
    folder = self.folder()
    path = os.path.join(folder, "frame-000002.color.png")
    with open(path, "r+b") as file:
      file.truncate(200)
    source = rgbd_folder.RgbdFolder(folder)
    with self.assertRaisesRegex(
      ValueError, "1 bad image file.*frame-000002.color.png': .*truncated"
    ):
      source.prepare()
    with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "frame-000002.color.png"):
      list(source.dataset("train"))

  def test_a_missing_depth_file_of_one_frame_is_a_missing_label(self):
    folder = self.folder()
    os.remove(os.path.join(folder, "frame-000000.depth.png"))
    self.assertFalse(np.any(_first(rgbd_folder.RgbdFolder(folder))["labels"]["depth"]))

  @parameterized.parameters(
    (dict(labels=("depht",)), "labels must be among .*depht"),
    (dict(num_frames=0), "num_frames must be 1 or more, got 0"),
    (dict(depth_scale=0.0), "depth_scale"),
    (dict(normals_window=2), "normals_window must be odd, got 2"),
    (dict(intrinsics=(1, 2, 3)), r"\(fx, fy, cx, cy\)"),
    (dict(splits={"train": (0.5, 0.5)}), "'train' must be"),
  )
  def test_refuses(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      rgbd_folder.RgbdFolder("anywhere", **arguments)

  def test_no_sample_fits(self):
    source = rgbd_folder.RgbdFolder(self.folder(), num_frames=2, frame_step=30)
    self.assertEqual(source.num_samples("train"), 0)
    with self.assertRaisesRegex(ValueError, "no sample of 2 frame"):
      source.dataset("train")


class SampleDataTest(tf.test.TestCase):
  def test_real_recording(self):
    """Depth of one frame carried to the other by pose and intrinsics meets the other's depth."""
    samples = os.environ.get("TASKOLOGY_SAMPLES")
    if not samples:
      self.skipTest("TASKOLOGY_SAMPLES does not name a folder with rgbd_7scenes in it")
    path = os.path.join(samples, "rgbd_7scenes")
    source = rgbd_folder.RgbdFolder(path, image_size=(48, 64), num_frames=2, frame_step=30)
    sample = _first(source)
    camera, pose = sample["intrinsics"][0].astype(float), sample["pose"].astype(float)
    first, second = sample["labels"]["depth"][..., 0]
    points = (rgbd_fixtures.rays(camera, (48, 64)) * first[..., np.newaxis])[first > 0]
    motion = np.linalg.inv(pose[1]) @ pose[0]
    points = points @ motion[:3, :3].T + motion[:3, 3]
    pixels = np.round((points @ camera.T)[:, :2] / points[:, 2:]).astype(int)
    inside = np.all((pixels >= 0) & (pixels < (64, 48)), axis=1)
    measured = second[pixels[inside, 1], pixels[inside, 0]]
    error = np.abs(points[inside, 2] - measured)[measured > 0]
    self.assertLess(np.median(error), 0.02)


if __name__ == "__main__":
  tf.test.main()
