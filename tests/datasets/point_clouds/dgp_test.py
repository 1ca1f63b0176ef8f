"""Tests of datasets/point_clouds/dgp.py."""

import json
import os
import shutil

import numpy as np
from absl.testing import absltest, parameterized

from tests.datasets.point_clouds import fixtures
from tf_taskology.datasets import element
from tf_taskology.datasets.point_clouds import box_frames, dgp, point_cloud_source


def _without_lidar(scene):
  scene["data"] = [datum for datum in scene["data"] if datum["id"]["name"] != "LIDAR"]
  for sample in scene["samples"]:
    sample["datum_keys"] = [key for key in sample["datum_keys"] if not key.startswith("lidar")]


class DgpTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = fixtures.dgp(self.create_tempdir().full_path)
    self.scene = os.path.join(self.folder, "scene_01")

  def change(self, name, change):
    path = os.path.join(self.scene, name)
    with open(path, encoding="utf-8") as file:
      fields = json.load(file)
    change(fields)
    fixtures.save_text(path, json.dumps(fields))

  def test_points_boxes_and_poses_in_the_frame_of_the_vehicle(self):
    for path, name in ((self.folder, "scene_01"), (self.scene, "scene_01")):
      data = dgp.DgpScenes(path)
      (clip,) = data.clips()
      self.assertEqual(clip.name, name)
      for index, sweep in enumerate(clip.frames):
        np.testing.assert_allclose(sweep.pose, fixtures.car_pose(index), atol=1e-9)
        points = data.read_points(clip, sweep)
        np.testing.assert_allclose(points, fixtures.points(index), atol=1e-5)
        boxes = data.read_boxes(clip, sweep)
        truth = [fixtures.box(track, index) for track in (0, 1)]
        np.testing.assert_allclose(boxes.boxes, truth, atol=1e-9)
        self.assertEqual((list(boxes.names), list(boxes.tracks)), (["Car"] * 2, ["900", "901"]))
        np.testing.assert_array_equal(
          box_frames.count_points(boxes.boxes, points), [fixtures.INSIDE] * 2
        )

  def test_a_gap_in_time_cuts_the_clip(self):
    times = (0.0, 0.1, 0.2, 0.41, 0.5)
    folder = fixtures.dgp(self.create_tempdir().full_path, count=5, times=times)
    clips = dgp.DgpScenes(folder).clips()
    self.assertEqual([clip.name for clip in clips], ["scene_01@0", "scene_01@3"])
    folder = fixtures.dgp(self.create_tempdir().full_path, times=(0.0, 0.2, 0.1))
    with self.assertRaisesRegex(ValueError, "times of sweeps must increase, but '2'"):
      dgp.DgpScenes(folder).clips()

  @parameterized.named_parameters(
    (
      "size",
      lambda a: a["box"].update(width=0),
      r"annotations\[1\].box: length, width and height must be > 0",
    ),
    (
      "class",
      lambda a: a.update(class_id=77),
      r"annotations\[1\].class_id: unknown class 77.*knows: \[0, 2\]",
    ),
    (
      "rotation",
      lambda a: a["box"]["pose"]["rotation"].update(qw=0, qz=0),
      r"annotations\[1\].box.pose: a quaternion",
    ),
    ("missing", lambda a: a["box"].pop("height"), r"annotations\[1\].box.height is missing"),
  )
  def test_bad_boxes(self, change, message):
    self.change("bounding_box_3d/LIDAR/1.json", lambda fields: change(fields["annotations"][1]))
    data = dgp.DgpScenes(self.folder)
    (clip,) = data.clips()
    with self.assertRaisesRegex(ValueError, f"LIDAR/1.json'(,|:) {message}"):
      data.read_boxes(clip, clip.frames[1])

  @parameterized.named_parameters(
    (
      "names",
      "calibration/calibrated.json",
      lambda f: f["names"].pop(),
      "an extrinsic transform for each",
    ),
    (
      "pose",
      "scene_0.json",
      lambda f: f["data"][0]["datum"]["point_cloud"]["pose"].pop("rotation"),
      "'lidar0'.pose: rotation with",
    ),
    (
      "key",
      "scene_0.json",
      lambda f: f["samples"][1]["datum_keys"].append("x"),
      r"samples\[1\].datum_keys: 'x' is no key",
    ),
    (
      "format",
      "scene_0.json",
      lambda f: f["data"][0]["datum"]["point_cloud"].update(point_format=["X"]),
      "point_format: X, Y and Z",
    ),
    (
      "time",
      "scene_0.json",
      lambda f: f["data"][0]["id"].update(timestamp="noon"),
      "'lidar0'.id.timestamp",
    ),
    (
      "ontology",
      "scene_0.json",
      lambda f: f.update(ontologies={}),
      "ontologies: has none for 3D boxes",
    ),
  )
  def test_bad_scenes(self, name, change, message):
    self.change(name, change)
    with self.assertRaisesRegex(ValueError, message):
      dgp.DgpScenes(self.folder).clips()

  def test_bad_points(self):
    data = dgp.DgpScenes(self.folder)
    (clip,) = data.clips()
    np.savez(clip.frames[0].points, data=np.zeros((5, 3)))
    with self.assertRaisesRegex(ValueError, r"0.npz': at least 4 columns .* shape \(5, 3\)"):
      data.read_points(clip, clip.frames[0])
    np.savez(clip.frames[0].points, cloud=np.zeros((5, 4)))
    with self.assertRaisesRegex(ValueError, r"0.npz': has no array 'data'. It has: \['cloud'\]"):
      data.read_points(clip, clip.frames[0])
    fixtures.save_text(clip.frames[1].points, "no archive")
    with self.assertRaisesRegex(ValueError, "1.npz': cannot be read"):
      data.read_points(clip, clip.frames[1])

  def test_a_folder_of_scenes_and_what_else_is_in_it(self):
    root = self.create_tempdir().full_path
    for name in ("scene_01", "scene_02", "scene_03"):
      shutil.copytree(self.scene, os.path.join(root, name))
    fixtures.save_text(
      os.path.join(root, "scene_dataset_v1.0.json"),
      json.dumps({"metadata": {}, "scene_splits": {}}),
    )
    path = os.path.join(root, "scene_02", "scene_0.json")
    shutil.copy(path, os.path.join(root, "scene_02", "scene_1.json"))
    self.change(os.path.join(root, "scene_03", "scene_0.json"), _without_lidar)
    with self.assertLogs(level="WARNING") as logs:
      clips = dgp.DgpScenes(root).clips()
    self.assertEqual(
      [clip.name for clip in clips], ["scene_01", "scene_02/scene_0", "scene_02/scene_1"]
    )
    self.assertIn("1 of 4 scenes are left out", logs.output[0])

  def test_boxes_of_some_samples_only(self):
    def forget(fields):
      fields["data"][0]["datum"]["point_cloud"]["annotations"] = {}

    self.change("scene_0.json", forget)
    (clip,) = dgp.DgpScenes(self.folder).clips()
    self.assertEqual(sum(bool(sweep.files) for sweep in clip.frames), len(clip.frames) - 1)

  def test_another_ontology(self):
    def rename(fields):
      next(item for item in fields["items"] if item["name"] == "Car")["name"] = "Van"

    (name,) = os.listdir(os.path.join(self.scene, "ontology"))
    self.change(os.path.join("ontology", name), rename)
    source = point_cloud_source.PointCloudSource(dgp.DgpScenes(self.folder), min_points=0)
    with self.assertRaisesRegex(ValueError, "json', .*: unknown class 'Van'. Known: 'Car'"):
      source.prepare()
    known = {"Van": 1}
    for data, more in (
      (dgp.DgpScenes(self.folder, classes=known), {}),
      (dgp.DgpScenes(self.folder), {"classes": known}),
    ):
      source = point_cloud_source.PointCloudSource(
        data, min_points=0, splits={"all": (0.0, 1.0)}, **more
      )
      sample = next(iter(source.dataset("all")))
      self.assertEqual(sample[element.LABELS]["classes"].numpy().max(), 1)

  def test_other_sensors(self):
    with self.assertRaisesRegex(ValueError, "no sample has data of 'TOP'. .*'CAMERA_01', 'LIDAR'"):
      dgp.DgpScenes(self.folder, sensor="TOP").clips()


if __name__ == "__main__":
  absltest.main()
