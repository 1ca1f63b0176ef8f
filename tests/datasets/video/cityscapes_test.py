"""Tests of datasets/video/cityscapes.py."""

import glob
import os

import numpy as np
import tensorflow as tf

from tests.datasets.video import fixtures
from tf_taskology.datasets.video import cityscapes, video_source


class CityscapesTest(tf.test.TestCase):
  def source(self, folder, **arguments):
    arguments = {"labels": ("depth", "segmentation"), "rescale_intrinsics": True, **arguments}
    return video_source.VideoSource(cityscapes.Cityscapes(folder), **arguments)

  def test_video_with_labels_on_one_frame(self):
    folder = fixtures.cityscapes(self.create_tempdir().full_path)
    source = self.source(folder, num_frames=3)
    source.prepare()
    samples = list(source.dataset("train").as_numpy_iterator())
    self.assertEqual(
      [sample["sample_id"] for sample in samples],
      [f"train/aachen_000000/aachen_000000_0000{number}".encode() for number in (17, 18, 19)],
    )
    for position, sample in zip((2, 1, 0), samples, strict=True):
      label = sample["labels"]["segmentation"][position, ..., 0]
      self.assertAllEqual(label[:, 5], [10] * 64 + [0] * 36 + [255] * 28)
      depth = sample["labels"]["depth"][position, ..., 0]
      self.assertAllEqual(depth[:64], np.zeros((64, 256)))
      self.assertAllClose(depth[64:], np.full((64, 256), 0.2 * 2200 / 40))
      empty = (position + 1) % 3
      self.assertAllEqual(sample["labels"]["depth"][empty], np.zeros((128, 256, 1)))
      self.assertAllEqual(sample["labels"]["segmentation"][empty], np.full((128, 256, 1), 255))
    # An eighth of the side: fx / 8, (cx + .5) / 8 - .5.
    self.assertAllClose(samples[0]["intrinsics"][0, 0], [275, 0, 1050.5 / 8 - 0.5])

  def test_single_images_and_a_cut_bonnet(self):
    folder = fixtures.cityscapes(self.create_tempdir().full_path, video=False)
    source = self.source(folder, crop_bottom=0.25, keep_aspect=False, image_size=(48, 128))
    (sample,) = source.dataset("train").as_numpy_iterator()
    self.assertAllEqual(sample["labels"]["segmentation"][0, :, 3, 0], [10] * 32 + [0] * 16)

  def test_images_of_another_size_than_the_cameras(self):
    folder = fixtures.cityscapes(self.create_tempdir().full_path)
    with self.assertRaisesRegex(
      ValueError, "camera.json' is for images of 2048x1024 .* is 256x128"
    ):
      self.source(folder, rescale_intrinsics=False).prepare()

  def test_missing_camera(self):
    folder = fixtures.cityscapes(self.create_tempdir().full_path)
    os.remove(glob.glob(os.path.join(folder, "camera", "*", "*", "*.json"))[0])
    with self.assertRaisesRegex(ValueError, "looked for .*aachen_000000_.*_camera.json"):
      self.source(folder).prepare()
    with self.assertRaisesRegex(ValueError, "needs the camera: .*camera.json' is missing"):
      self.source(folder, assumed_field_of_view=60.0).prepare()

  def test_bad_camera(self):
    folder = fixtures.cityscapes(self.create_tempdir().full_path)
    path = glob.glob(os.path.join(folder, "camera", "*", "*", "*.json"))[0]
    for text, message in (("{", "is no JSON"), ('{"intrinsic": {}}', "wrong: 'fx'")):
      fixtures.save_text(path, text)
      with self.assertRaisesRegex(ValueError, message):
        self.source(folder).prepare()

  def test_bad_labels(self):
    folder = fixtures.cityscapes(self.create_tempdir().full_path)
    (path,) = glob.glob(os.path.join(folder, "gtFine", "*", "*", "*.png"))
    fixtures.save(path, np.full((128, 256), 34, np.uint8))
    with self.assertRaisesRegex(ValueError, r"labelIds.png' .* class map: \[34\].*0-33"):
      self.source(folder).prepare()
    fixtures.save(path, np.full((64, 128), 7, np.uint8))
    with self.assertRaisesRegex(ValueError, "labelIds.png': is 128x64 .* is 256x128"):
      self.source(folder).prepare()

  def test_disparities_must_have_16_bits(self):
    folder = fixtures.cityscapes(self.create_tempdir().full_path)
    data = cityscapes.Cityscapes(folder)
    source = video_source.VideoSource(data, labels=("depth",), rescale_intrinsics=True)
    (path,) = glob.glob(os.path.join(folder, "disparity", "*", "*", "*.png"))
    for shape in ((128, 256), (128, 256, 3)):
      fixtures.save(path, np.full(shape, 40, np.uint8))
      with self.assertRaisesRegex(ValueError, "one channel of disparities of 16 bits.*uint8"):
        source.prepare()

  def test_empty_folder(self):
    with self.assertRaisesRegex(ValueError, "holds no images of Cityscapes: leftImg8bit/"):
      cityscapes.Cityscapes(self.create_tempdir().full_path).clips()


if __name__ == "__main__":
  tf.test.main()
