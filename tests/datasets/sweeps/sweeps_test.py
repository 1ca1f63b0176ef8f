"""The TFDS builder and the source of sweeps."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.datasets import element
from tf_taskology.datasets.rendering import builder
from tf_taskology.datasets.sweeps import render, sweeps, sweeps_source

_SMALL = {"beams": 8, "azimuths": 64, "train": 4, "validation": 1, "test": 2}


class SweepsConfigTest(parameterized.TestCase):
  def test_names_tell_data_sets_apart(self):
    changes = [
      {}, {"beams": 9}, {"azimuths": 65}, {"frames": 2}, {"interval": 0.1}, {"noise": 0.0},
      {"dropout": 0.0}, {"max_range": 50.0}, {"train": 7}, {"seed": 1},
    ]  # fmt: skip
    names = {sweeps.SweepsConfig(**{**_SMALL, **c}).name for c in changes}
    self.assertLen(names, len(changes))
    self.assertEqual(sweeps.SweepsConfig(num_workers=2).name, "32x360_3frames")

  @parameterized.parameters(
    ({"test": 0}, "test is 0"),
    ({"beams": 0}, "beams is 0"),
    ({"name": "mine"}, "leave it out"),
  )
  def test_bad_fields_are_refused(self, changes, message):
    with self.assertRaisesRegex(ValueError, message):
      sweeps.SweepsConfig(**{**_SMALL, **changes})


class SweepsSourceTest(tf.test.TestCase):
  def _source(self, **changes):
    return sweeps_source.SweepsSource(**{**_SMALL, "data_dir": self.get_temp_dir(), **changes})

  def test_examples_arrive_as_rendered(self):
    config = sweeps.SweepsConfig(**_SMALL, num_workers=1)
    prepared = builder.prepare(sweeps.Sweeps, config, self.get_temp_dir())
    for example in prepared.as_dataset(split="test").as_numpy_iterator():
      name = example["sample_id"].decode()
      expected = render.render(config.job(), "test", int(name.split("/")[-1]))
      self.assertEqual(name, expected.pop("sample_id"))
      self.assertEqual(example.keys() - {"sample_id"}, expected.keys())
      for key, value in expected.items():
        self.assertEqual(example[key].dtype, value.dtype)
        np.testing.assert_array_equal(example[key], value)

  def test_elements_and_the_common_frame(self):
    own, common = (list(self._source(common_frame=c).dataset("test")) for c in (False, True))
    self.assertEqual(self._source().dataset("test").element_spec, self._source().element_spec)
    for first, second in zip(own, common, strict=True):
      pose = first[element.POSE].numpy().astype(np.float64)
      self.assertAllEqual(first["points"][0], second["points"][0])
      for frame in range(3):
        to_first = np.linalg.inv(pose[0]) @ pose[frame]
        count = first["num_points"][frame]
        expected = first["points"][frame, :count, :3] @ to_first[:3, :3].T + to_first[:3, 3]
        self.assertAllClose(second["points"][frame, :count, :3], expected, atol=1e-4)
        self.assertAllEqual(second["points"][frame, count:], first["points"][frame, count:])
      # What is parked stays where it is.
      labels = second[element.LABELS]
      ids = [labels["tracks"][f].numpy() for f in (0, 2)]
      shared = [t for t in ids[0] if t and t in ids[1]]
      moved = [
        labels["boxes"][2][list(ids[1]).index(t)] - labels["boxes"][0][list(ids[0]).index(t)]
        for t in shared
      ]
      self.assertGreater(np.sum(np.linalg.norm(moved, axis=1) < 1e-3), 3)

  def test_few_labelled_samples(self):
    every = [e[element.SAMPLE_ID].numpy() for e in self._source().dataset("train")]
    half = self._source(labelled_share=0.5)
    self.assertEqual(half.num_samples("train"), 2)
    found = [e[element.SAMPLE_ID].numpy() for e in half.dataset("train")]
    self.assertLen(found, 2)
    self.assertLen(half.dataset("train"), 2)
    self.assertContainsSubset(found, every)
    quarter = [
      e[element.SAMPLE_ID].numpy() for e in self._source(labelled_share=0.25).dataset("train")
    ]
    self.assertContainsSubset(quarter, found)
    self.assertEqual(half.num_samples("test"), 2)

  def test_few_labelled_boxes(self):
    def kept(**changes):
      return [
        (e[element.LABELS]["classes"].numpy(), e[element.LABELS]["tracks"].numpy())
        for e in self._source(withheld="boxes", min_points=0, **changes).dataset("train")
      ]

    every, some = kept(), kept(labelled_share=0.3)
    share = np.mean(np.concatenate([c[c != 0] for c, _ in some]) > 0)
    self.assertBetween(share, 0.2, 0.4)
    for (classes, tracks), (all_classes, _) in zip(some, every, strict=True):
      self.assertAllEqual(classes == 0, all_classes == 0)
      for track in np.unique(tracks[tracks > 0]):
        self.assertLen(np.unique(classes[tracks == track]), 1)  # in all frames or in none
    for (one, _), (same, _) in zip(some, kept(labelled_share=0.3), strict=True):
      self.assertAllEqual(one, same)
    other = kept(labelled_share=0.3, label_seed=1)
    self.assertTrue(any(np.any(a != b) for (a, _), (b, _) in zip(some, other, strict=True)))

  def test_hardly_seen_boxes_do_not_matter_in_training_only(self):
    for e in self._source(min_points=4).dataset("train"):
      labels = e[element.LABELS]
      hardly = (labels["tracks"] > 0) & (labels["box_points"] < 4)
      self.assertAllEqual(labels["classes"] == -1, hardly)
    for e in self._source(min_points=4).dataset("test"):
      self.assertAllGreaterEqual(e[element.LABELS]["classes"], 0)

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "withheld"):
      self._source(withheld="frames")
    with self.assertRaisesRegex(ValueError, "labelled_share"):
      self._source(labelled_share=0.0)
    with self.assertRaisesRegex(ValueError, "no split 'all'"):
      self._source().num_samples("all")


if __name__ == "__main__":
  tf.test.main()
