"""Configurations: all that ship can be built, and mistakes are named."""
# bazel: data=//gin:experiments

import glob
import os

from absl.testing import absltest, parameterized

from tf_taskology.networks import deeplab, nas_fpn
from tf_taskology.training import building, config, experiment, plan

_BASE = "gin/rooms/depth_normals.gin"
_FOLDER = "gin/rooms/rgbd_folder.gin"
_NEED_DATA = (_FOLDER, "gin/sweeps/kitti_object.gin")  # to know what their elements are
_PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_FRAGMENTS = (
  "gin/base/training.gin",
  "gin/rooms/data.gin",
  "gin/streets/camvid.gin",
  "gin/streets/cityscapes.gin",
  "gin/streets/coco.gin",
  "gin/streets/data.gin",
  "gin/streets/deeplab.gin",
  "gin/streets/frames_folder.gin",
  "gin/streets/kitti.gin",
  "gin/streets/kitti_odometry.gin",
  "gin/streets/nas_fpn.gin",
  "gin/streets/segmentation_module.gin",
  "gin/streets/waymo.gin",
  "gin/sweeps/compact.gin",
  "gin/sweeps/data.gin",
  "gin/sweeps/dgp.gin",
  "gin/sweeps/full.gin",
  "gin/sweeps/kitti_tracking.gin",
  "gin/sweeps/recordings.gin",
  "gin/sweeps/sweep_folder.gin",
  "gin/sweeps/tasks.gin",
  "gin/sweeps/waymo_v2.gin",
)
# What must be set, and does not matter here.
_REQUIRED = {
  "gin/streets/depth_motion_masked.gin": ("SEGMENTATION = 'a'",),
  "gin/streets/depth_motion_second.gin": ("INITIAL_RUN = 'a'",),
  "gin/streets/segmentation_carried.gin": ("DEPTH = 'a'", "MOTION = 'b'"),
}


def _experiments():
  found = sorted(glob.glob(os.path.join(_PROJECT, "gin", "**", "*.gin"), recursive=True))
  return [os.path.relpath(path, _PROJECT) for path in found]


class ShippedTest(parameterized.TestCase):
  def test_finds_experiments(self):
    self.assertContainsSubset([_BASE, *_FRAGMENTS], _experiments())

  @parameterized.parameters(*[e for e in _experiments() if e not in (*_FRAGMENTS, *_NEED_DATA)])
  def test_experiment_parses_and_builds(self, path):
    collective = config.parse([path], _REQUIRED.get(path, ()))
    self.assertNotEmpty(collective.modules)
    for spec in collective.modules:
      network = building.network(collective, spec)
      self.assertCountEqual(network.output, [t.name for t in spec.tasks])

  @parameterized.parameters("detection_flow", "shared", "detection")
  def test_sizes_of_the_paper_by_a_second_file(self, name):
    collective = config.parse([f"gin/sweeps/{name}.gin", "gin/sweeps/full.gin"])
    for spec in collective.modules:
      for task in spec.tasks:
        self.assertEqual(task.anchors.shape, (468, 468, 2))

  @parameterized.parameters(
    ("kitti_tracking", "KITTI_TRACKING"), ("waymo_v2", "WAYMO_V2"), ("dgp", "DGP"), ("sweep_folder", "SWEEP_FOLDER"),
  )  # fmt: skip
  def test_recordings_by_a_second_file(self, name, macro):
    files = ["gin/sweeps/detection_flow.gin", f"gin/sweeps/{name}.gin"]
    collective = config.parse(files, [f"{macro} = 'a'"])
    for spec in collective.modules:
      self.assertNotIn("sweeps/", spec.dedicated.describe())

  @parameterized.parameters(("nas_fpn", nas_fpn.NasFpn), ("deeplab", deeplab.DeepLabV3Plus))
  def test_network_by_a_second_file(self, name, network):
    collective = config.parse(["gin/streets/joint.gin", f"gin/streets/{name}.gin"])
    self.assertIsInstance(collective.module("segmentation").network, network)
    self.assertNotIsInstance(collective.module("depth").network, network)

  def test_module_may_have_a_strategy_and_a_share_of_its_own(self):
    scope = "segmentation/experiment.ModuleSpec"
    bindings = [f"{scope}.strategy = 'mirrored'", f"{scope}.cpu_share = 3"]
    collective = config.parse(["gin/streets/joint.gin"], bindings)
    strategies = [collective.strategy_of(spec) for spec in [*collective.modules, None]]
    self.assertEqual(strategies, ["one_device", "one_device", "mirrored", "one_device"])
    shares = [module.cpu_share for module in plan.LaunchPlan.of(collective).modules]
    self.assertEqual(shares, [1.0, 1.0, 3.0])

  def test_kept_configuration_may_hold_what_an_include_left_over(self):
    folder = self.create_tempdir()
    frames = folder.mkdir("frames").full_path
    config.parse(["gin/rooms/rgbd_folder.gin"], [f"FRAMES = {frames!r}"])
    kept = folder.create_file("config.gin", config.config_text()).full_path
    collective = config.parse([kept])
    self.assertEqual([e.name for e in collective.evaluation], ["own frames", "rooms, simulated"])

  def test_round_trip_of_the_kept_configuration(self):
    config.parse([_BASE], ["SEED = 7", "DEPTH_WEIGHT = 0.5"])
    path = self.create_tempfile("config.gin", config.config_text()).full_path
    collective = config.parse([path])
    self.assertEqual(collective.training.seed, 7)
    self.assertEqual(collective.consistency[0].weights["depth"].value, 0.5)


class MistakesTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("macro", "NORMALS_WEIGTH = 1", r"NORMALS_WEIGTH.*Did you mean 'NORMALS_WEIGHT'"),
    ("parameter", "experiment.Training.setps = 1", r"(?s)'setps'.*Did you mean.*'steps'"),
    (
      "place",
      "experiment.Training.setps = 1",
      r"\? \(--gin_binding: experiment.Training.setps = 1\)$",
    ),
    ("configurable", "experiment.Trainin.seed = 1", r"(?s)Trainin.*Did you mean.*'Training'"),
    (
      "unused",
      "other/optimization.Optimization.learning_rate = 1.0",
      r"Nothing uses the binding other/.*learning_rate",
    ),
    ("steps", "STEPS = 0", r"Training\.steps must be a whole number >= 1\. Received: 0"),
    ("text", "STEPS = 'many'", r"Training\.steps must be a whole number"),
    ("weight", "DEPTH_WEIGHT = -1", r"Ramp\.value must be a number >= 0\. Received: -1"),
    ("strategy", "STRATEGY = 'two_devices'", r"Training\.strategy must be one of"),
    (
      "policy",
      "experiment.Peering.policy = 'hope'",
      r"Peering\.policy must be 'wait', 'skip' or 'last'\. Received: 'hope'",
    ),
    ("publishing", "experiment.Publishing.every_steps = 0", r"Publishing\.every_steps must be > 0"),
    ("syntax", "STEPS = = 3", r"Unable to parse value"),
    (
      "rate",
      "optimization.Optimization.learning_rate = 0",
      r"learning_rate must be > 0\. Received: 0",
    ),
    ("domain", "sensor/rooms_source.RoomsSource.domain = 'moon'", r"moon"),
    (
      "loss_without_module",
      "experiment.Collective.modules = [@depth/experiment.ModuleSpec()]",
      r"depth_normals.*needs \['normals'\], which no module provides.*depth \(depth\)",
    ),
    ("same_name", "normals/experiment.ModuleSpec.name = 'depth'", r"modules of different names"),
  )
  def test_binding(self, binding, message):
    with self.assertRaisesRegex(config.ConfigError, message):
      config.parse(
        [_BASE],
        [
          "experiment.Collective.peering = @experiment.Peering()",
          "experiment.Collective.publishing = @experiment.Publishing()",
          binding,
        ],
      )

  def test_missing_file(self):
    with self.assertRaisesRegex(
      config.ConfigError, "'gin/rooms/none.gin' does not exist. Looked for: "
    ):
      config.parse(["gin/rooms/none.gin"])

  def test_no_file(self):
    with self.assertRaisesRegex(config.ConfigError, "--gin_file"):
      config.parse([])

  def test_required_value(self):
    with self.assertRaisesRegex(config.ConfigError, "STEPS"):
      config.parse(["gin/base/training.gin"])

  def test_unknown_module(self):
    collective = config.parse([_BASE])
    with self.assertRaisesRegex(ValueError, "no module 'dpeth'. The modules are: depth, normals."):
      collective.module("dpeth")


class CollectiveTest(absltest.TestCase):
  def test_who_needs_whom(self):
    collective = config.parse([_BASE])
    depth, normals = collective.modules
    self.assertEqual(collective.peers_of(depth), {"normals": ("normals",)})
    self.assertEqual(collective.peers_of(normals), {"depth": ("depth",)})
    self.assertEqual(collective.labels_of(depth), ("depth",))
    self.assertEqual(collective.labels_of(normals), ("normals",))
    self.assertFalse(collective.needs_pose(collective.mediated(depth)))
    self.assertIsInstance(collective, experiment.Collective)

  def test_matched_depth_reads_poses(self):
    collective = config.parse(["gin/rooms/matched_depth.gin"])
    depth, normals = collective.modules
    self.assertTrue(collective.needs_pose(collective.mediated(depth)))
    self.assertFalse(collective.needs_pose(collective.mediated(normals)))

  def test_two_views_read_poses_and_the_normals_labels(self):
    collective = config.parse(["gin/rooms/two_views.gin"])
    depth, normals = collective.modules
    self.assertTrue(collective.needs_pose(collective.mediated(depth)))
    self.assertEqual(collective.labels_of(depth), ("depth", "normals"))
    self.assertEqual(collective.labels_of(normals), ("normals",))


if __name__ == "__main__":
  absltest.main()
