"""The TFDS builder and the source of streets."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.datasets import element, pipeline
from tf_taskology.datasets.rendering import builder
from tf_taskology.datasets.streets import classes, motion, render, streets, streets_source

_SMALL = {"height": 16, "width": 52, "train": 3, "validation": 1, "test": 2, "num_workers": 1}


class StreetsConfigTest(parameterized.TestCase):
  def test_names_tell_data_sets_apart(self):
    changes = [
      {}, {"domain": "stills"}, {"height": 32}, {"train": 7}, {"test": 4}, {"seed": 1},
      {"noise": 0.0}, {"frames": 20},
    ]  # fmt: skip
    names = {streets.StreetsConfig(**{**_SMALL, **c}).name for c in changes}
    self.assertLen(names, len(changes))
    self.assertEqual(streets.StreetsConfig().name, "street_128x416")
    self.assertEqual(streets.StreetsConfig(frames=3, num_workers=2).name, "street_128x416")

  def test_stock_configurations_cover_domains_and_sizes(self):
    names = ["street_128x416", "stills_128x416", "street_64x208", "stills_64x208"]
    self.assertContainsSubset(names, streets.Streets.builder_configs)

  @parameterized.parameters(
    ({"domain": "real"}, "expected one of"),
    ({"domain": "stills", "frames": 3}, "stills stand alone"),
    ({"test": 0}, "test is 0"),
    ({"name": "mine"}, "leave it out"),
  )
  def test_bad_fields_are_refused(self, changes, message):
    with self.assertRaisesRegex(ValueError, message):
      streets.StreetsConfig(**{**_SMALL, **changes})


class PrepareTest(tf.test.TestCase):
  def test_examples_arrive_as_rendered(self):
    config = streets.StreetsConfig(**_SMALL)
    prepared = builder.prepare(streets.Streets, config, self.create_tempdir().full_path)
    counts = {name: split.num_examples for name, split in prepared.info.splits.items()}
    self.assertEqual(counts, {"train": 3, "validation": 1, "test": 2})
    for example in prepared.as_dataset(split="test").as_numpy_iterator():
      name = example["sample_id"].decode()
      expected = render.render(config.job(), "test", int(name.split("/")[-1]))
      self.assertEqual(name, expected.pop("sample_id"))
      self.assertEqual(example.keys() - {"sample_id"}, expected.keys())
      for key, value in expected.items():
        self.assertEqual(example[key].dtype, value.dtype)
        np.testing.assert_array_equal(example[key], value)
    text = prepared.info.features["segmentation"].doc.desc
    for c in classes.CLASSES:
      self.assertIn(f"{c.id} {c.name}", text)


class StreetsSourceTest(tf.test.TestCase):
  def _source(self, **changes):
    fields = {"image_size": (16, 52), "train": 3, "validation": 1, "test": 2}
    folder = self.create_tempdir().full_path
    return streets_source.StreetsSource(**{**fields, "data_dir": folder, **changes})

  def test_video(self):
    source = self._source()
    self.assertEqual(source.num_frames, 3)
    names = ("depth", "segmentation", "object_motion", "object_motion_back")
    self.assertEqual(source.labels, names)
    dataset = source.dataset("train")
    self.assertEqual(dataset.element_spec, source.element_spec)
    examples = list(dataset)
    self.assertLen(examples, 3)
    identifier = examples[0][element.SAMPLE_ID].numpy().decode()
    job = render.Job("street", 16, 52)
    expected = render.render(job, "train", int(identifier.split("/")[-1]))
    labels = examples[0][element.LABELS]
    for name, step in (("object_motion", 1), ("object_motion_back", -1)):
      self.assertAllClose(labels[name], motion.object_motion(expected, step))
    batch = next(iter(pipeline.training_batches(source, split="train", batch_size=2, num_frames=3,
                                                flip=False, pose=True)))  # fmt: skip
    self.assertEqual(batch[element.IMAGE].shape, [2, 3, 16, 52, 3])
    self.assertNotIn(element.LABELS, batch)

  def test_stills_and_few_labels(self):
    source = self._source(domain="stills", max_train=2)
    self.assertEqual((source.num_frames, source.num_samples("train")), (1, 2))
    self.assertEqual(source.labels, ("depth", "segmentation"))
    self.assertLen(list(source.dataset("train")), 2)
    self.assertIn("stills_16x52", source.describe())
    with self.assertRaisesRegex(ValueError, "max_train"):
      self._source(max_train=4)
    with self.assertRaisesRegex(ValueError, "no split 'all'"):
      source.num_samples("all")


if __name__ == "__main__":
  tf.test.main()
