"""Tests of datasets/video/coco_tfds.py."""

import os

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tests.datasets.video import fixtures
from tf_taskology.datasets.video import coco_panoptic, coco_tfds, video_source

_NAMES = ["road", "car", "book"]


def _write(data_dir, native):
  """The images of `fixtures.coco` under the features that TFDS gives coco/2017_panoptic."""
  features = tfds.features.FeaturesDict(
    {
      "image": tfds.features.Image(encoding_format="jpeg"),
      "image/filename": tfds.features.Text(),
      "panoptic_image": tfds.features.Image(encoding_format="png"),
      "panoptic_objects": tfds.features.Sequence(
        {"id": np.int64, "label": tfds.features.ClassLabel(names=_NAMES)}
      ),
    }
  )

  class Coco(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version("1.1.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="2017_panoptic")]

    def _info(self):
      return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
      return {"train": self._generate_examples()}

    def _generate_examples(self):
      for clip in coco_panoptic.CocoPanoptic(native).clips():
        (frame,) = clip.frames
        ids = frame.extra[0].tolist()
        yield (
          clip.name,
          {
            "image": frame.image,
            "image/filename": os.path.basename(frame.image),
            "panoptic_image": frame.files["segmentation"],
            "panoptic_objects": [{"id": i, "label": "car" if i == 300 else "road"} for i in ids],
          },
        )

  Coco(data_dir=data_dir).download_and_prepare()


class CocoTfdsTest(tf.test.TestCase):
  def test_reads_as_the_native_files(self):
    native = fixtures.coco(self.create_tempdir().full_path)
    data_dir = self.create_tempdir().full_path
    _write(data_dir, native)
    source = coco_tfds.CocoTfds(data_dir, (24, 32))
    source.prepare()
    dataset = source.dataset("train")
    self.assertEqual(dataset.element_spec, source.element_spec)
    self.assertEqual(source.num_samples("train"), 2)
    expected = video_source.VideoSource(
      coco_panoptic.CocoPanoptic(native),
      (24, 32),
      labels=("segmentation",),
      assumed_field_of_view=60.0,
    )
    by_name = {
      os.path.basename(sample["sample_id"].decode()): sample
      for sample in expected.dataset("train").as_numpy_iterator()
    }
    for sample in dataset.as_numpy_iterator():
      other = by_name[sample["sample_id"].decode().removesuffix(".jpg")]
      self.assertAllEqual(sample["labels"]["segmentation"], other["labels"]["segmentation"])
      self.assertLess(np.abs(sample["image"].astype(int) - other["image"]).mean(), 4.0)
    with self.assertRaisesRegex(ValueError, "no split 'test'. It has: train"):
      source.num_samples("test")

  def test_not_prepared(self):
    source = coco_tfds.CocoTfds(self.create_tempdir().full_path, (24, 32))
    with self.assertRaisesRegex(ValueError, "is not prepared: .*download_and_prepare"):
      source.prepare()


if __name__ == "__main__":
  tf.test.main()
