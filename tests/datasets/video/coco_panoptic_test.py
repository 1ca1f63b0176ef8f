"""Tests of datasets/video/coco_panoptic.py."""

import json
import os
import shutil

import numpy as np
import tensorflow as tf

from tests.datasets.video import fixtures
from tf_taskology.datasets.video import coco_panoptic, video_source


class CocoPanopticTest(tf.test.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = fixtures.coco(self.create_tempdir().full_path)
    self.annotations = os.path.join(self.folder, "annotations", "panoptic_train2017.json")

  def source(self, **arguments):
    data = coco_panoptic.CocoPanoptic(self.folder, **arguments)
    return video_source.VideoSource(
      data, (24, 24), labels=("segmentation",), assumed_field_of_view=60.0
    )

  def edit(self, change):
    with open(self.annotations, encoding="utf-8") as file:
      content = json.load(file)
    change(content)
    fixtures.save_text(self.annotations, json.dumps(content))

  def test_segments_become_classes_in_images_of_any_size(self):
    source = self.source()
    source.prepare()
    first, second = source.dataset("train").as_numpy_iterator()
    self.assertEqual(first["sample_id"], b"train/000000000001")
    for sample in (first, second):
      label = sample["labels"]["segmentation"][0, ..., 0]
      self.assertEqual(set(np.unique(label[:, :10])) - {255}, {0})
      self.assertAllEqual(label[:, 14:], np.full((24, 10), 13))
    # 40 wide: 8 columns are cut off, and with them the corner without a segment; 40 high: 8 rows.
    self.assertNotIn(255, first["labels"]["segmentation"])
    self.assertEqual(source.num_samples("validation"), 0)

  def test_what_has_no_segment_or_no_road_class_is_missing(self):
    def change(content):
      content["annotations"][0]["segments_info"][1]["category_id"] = 84

    self.edit(change)
    data = coco_panoptic.CocoPanoptic(self.folder)
    source = video_source.VideoSource(
      data, labels=("segmentation",), splits={"first": ("train/000000000001",)},
      assumed_field_of_view=60.0, image_size=(24, 40),
    )  # fmt: skip
    (sample,) = source.dataset("first").as_numpy_iterator()
    expected = np.zeros((24, 40), np.uint8)
    expected[:, 20:] = 255
    expected[:4, :4] = 255
    self.assertAllEqual(sample["labels"]["segmentation"][0, ..., 0], expected)

  def test_containing(self):
    self.edit(lambda content: content["annotations"][0]["segments_info"].pop(0))
    self.assertEqual(self.source(containing=("road",)).num_samples("train"), 1)
    with self.assertRaisesRegex(ValueError, "containing must be .*'pole'"):
      self.source(containing=("pole",))

  def test_segments_that_are_not_listed(self):
    self.edit(lambda content: content["annotations"][0]["segments_info"].pop(0))
    with self.assertRaisesRegex(
      ValueError, r"000000000001.png' holds segments .*\[70001\].*\[300\]"
    ):
      self.source().prepare()

  def test_categories_that_are_not_listed(self):
    self.edit(lambda content: content["categories"].pop(0))
    with self.assertRaisesRegex(ValueError, r"000000000001.png has category_id \[3\]"):
      self.source().prepare()

  def test_another_set_of_categories(self):
    def change(content):
      for category in content["categories"]:
        category["name"] = "x"

    self.edit(change)
    with self.assertRaisesRegex(ValueError, "none of the categories of COCO panoptic"):
      self.source().prepare()

  def test_annotations_without_their_images(self):
    other = self.annotations.replace("train2017", "val2017")
    shutil.copy(self.annotations, other)
    with self.assertLogs(level="WARNING") as logs:
      clips = coco_panoptic.CocoPanoptic(self.folder).clips()
    self.assertLen(clips, 2)
    self.assertRegex(logs.output[0], "panoptic_val2017.json' is left out, .* no '.*val2017'")
    os.rename(os.path.join(self.folder, "train2017"), os.path.join(self.folder, "train"))
    with self.assertRaisesRegex(
      ValueError, "holds no images .*panoptic_train2017.json with train2017/"
    ):
      coco_panoptic.CocoPanoptic(self.folder).clips()

  def test_an_image_that_is_not_listed(self):
    self.edit(lambda content: content["images"].pop(0))
    with self.assertRaisesRegex(ValueError, "annotation of '000000000001.png' has image_id 1"):
      coco_panoptic.CocoPanoptic(self.folder).clips()

  def test_a_malformed_file(self):
    self.edit(lambda content: content["images"][0].pop("height"))
    with self.assertRaisesRegex(
      ValueError, "panoptic_train2017.json' is not as published: .*'height'"
    ):
      self.source().prepare()

  def test_missing_files(self):
    os.remove(os.path.join(self.folder, "train2017", "000000000002.jpg"))
    with self.assertRaisesRegex(ValueError, "000000000002.jpg"):
      self.source().prepare()
    os.remove(self.annotations)
    with self.assertRaisesRegex(ValueError, "looked for .*panoptic_train2017.json"):
      self.source().prepare()

  def test_class_map_names_real_categories(self):
    # The same number of things and stuff as in panoptic_coco_categories.json: 23 of 133.
    self.assertLen(coco_panoptic.CLASSES, 23)


if __name__ == "__main__":
  tf.test.main()
