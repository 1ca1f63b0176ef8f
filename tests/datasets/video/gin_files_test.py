"""The gin files that put a data set in the place of the streets world."""
# bazel: data=//gin:experiments

from absl.testing import absltest, parameterized

from tests.datasets.video import fixtures
from tf_taskology.training import config

_CASES = (
  ("kitti", "depth_motion", "KITTI", fixtures.kitti_raw),
  ("kitti_odometry", "depth_motion", "KITTI_ODOMETRY", fixtures.kitti_odometry),
  ("frames_folder", "depth_motion", "FRAMES_FOLDER", fixtures.frames_folder),
  ("camvid", "joint", "CAMVID", fixtures.camvid),
  ("cityscapes", "joint", "CITYSCAPES", fixtures.cityscapes),
  ("waymo", "joint", "WAYMO", fixtures.waymo),
)
_RESCALED = "video_source.VideoSource.rescale_intrinsics = True"


class GinFilesTest(parameterized.TestCase):
  def parse(self, names, bindings):
    return config.parse([f"gin/streets/{name}.gin" for name in names], bindings)

  @parameterized.parameters(*_CASES)
  def test_mediator_and_evaluation_read_the_data(self, name, experiment, macro, write):
    folder = write(self.create_tempdir().full_path)
    size = () if name == "frames_folder" else ("IMAGE_SIZE = (32, 64)", _RESCALED)
    collective = self.parse([experiment, name], [f"{macro} = {folder!r}", *size])
    source = collective.mediator.source
    source.prepare()
    self.assertEqual(source.num_frames, 3)
    self.assertGreater(source.num_samples("train"), 0)
    for spec in collective.evaluation:
      self.assertNotEmpty(spec.protocols)
      # Own frames are shown, and what is measured stays on the streets world.
      if name != "frames_folder" or spec is collective.evaluation[0]:
        self.assertIn(folder, spec.source.describe())
        self.assertEqual(spec.source.image_size, source.image_size)

  def test_stills_by_a_third_file(self):
    folders = [self.create_tempdir().full_path for _ in range(2)]
    bindings = [
      f"CITYSCAPES = {fixtures.cityscapes(folders[0])!r}",
      f"COCO = {fixtures.coco(folders[1])!r}",
      _RESCALED,
    ]
    collective = self.parse(["joint", "cityscapes", "coco"], bindings)
    dedicated = collective.module("segmentation").dedicated
    dedicated.prepare()
    self.assertEqual((dedicated.num_frames, dedicated.num_samples("train")), (1, 2))
    self.assertEqual(dedicated.image_size, collective.mediator.source.image_size)

  def test_the_folder_must_be_given(self):
    with self.assertRaisesRegex(config.ConfigError, "KITTI"):
      self.parse(["depth_motion", "kitti"], [])


if __name__ == "__main__":
  absltest.main()
