"""The gin files that put point clouds on disk in the place of the sweeps world."""
# bazel: data=//gin:experiments

from absl.testing import absltest, parameterized

from tests.datasets.point_clouds import fixtures
from tf_taskology.training import config

_CASES = (
  ("kitti_tracking", "KITTI_TRACKING", fixtures.kitti_tracking),
  ("dgp", "DGP", fixtures.dgp),
  ("sweep_folder", "SWEEP_FOLDER", fixtures.sweep_folder),
)
_ALL = 'SPLITS = {"train": (0.0, 1.0), "test": (0.0, 1.0)}'


class GinFilesTest(parameterized.TestCase):
  def parse(self, names, bindings):
    return config.parse([f"gin/sweeps/{name}.gin" for name in names], bindings)

  @parameterized.product(case=_CASES, experiment=("detection_flow", "shared"))
  def test_everything_reads_the_data(self, case, experiment):
    name, macro, write = case
    folder = write(self.create_tempdir().full_path)
    bindings = [f"{macro} = {folder!r}", _ALL, "FRAME_STEP = 1"]
    collective = self.parse([experiment, name], bindings)
    sources = [module.dedicated for module in collective.modules]
    sources += [spec.source for spec in collective.evaluation]
    for source in (*sources, collective.mediator.source):
      source.prepare()
      self.assertIn(folder, source.describe())
      is_single = experiment == "detection_flow" and source is collective.modules[0].dedicated
      self.assertEqual(source.num_frames, 1 if is_single else 3)
      self.assertGreater(source.num_samples("train"), 0)
    for source in sources:
      self.assertContainsSubset({"boxes", "classes", "tracks", "box_points"}, source.labels)
    self.assertEmpty(collective.mediator.source.labels)
    sample = next(sources[0].dataset("train").as_numpy_iterator())
    self.assertIn(1, sample["labels"]["classes"])

  def test_single_scans_train_detection_alone(self):
    folder = fixtures.kitti_object(self.create_tempdir().full_path)
    collective = self.parse(["kitti_object"], [f"KITTI_OBJECT = {folder!r}", _ALL, "STEPS = 2"])
    (module,) = collective.modules
    module.dedicated.prepare()
    self.assertIsNone(collective.mediator)
    self.assertEqual((module.name, module.num_frames), ("detection", 1))
    self.assertEqual(module.dedicated.num_samples("train"), 5)
    (spec,) = collective.evaluation
    self.assertEqual(spec.source.num_samples("test"), 5)

  def test_waymo(self):
    collective = self.parse(["detection_flow", "waymo_v2", "full"], ["WAYMO_V2 = '/nowhere'"])
    with self.assertRaisesRegex(FileNotFoundError, "Waymo v2 folder '/nowhere'"):
      collective.mediator.source.prepare()

  def test_the_folder_must_be_given(self):
    with self.assertRaisesRegex(config.ConfigError, "KITTI_TRACKING"):
      self.parse(["detection_flow", "kitti_tracking"], [])


if __name__ == "__main__":
  absltest.main()
