"""Tests of datasets/video/splits.py."""

from absl.testing import absltest, parameterized

from tf_taskology.datasets.video import footage, splits


def _frames(count, labelled=()):
  return tuple(
    footage.Frame(str(i), f"{i}.png", files={"depth": "d"} if i in labelled else {})
    for i in range(count)
  )


_CLIPS = (footage.Clip("drive_1/left", _frames(10, (4,))), footage.Clip("drive_2/left", _frames(3)))


class SplitsTest(parameterized.TestCase):
  def test_shares_are_of_every_clip_and_meet_without_overlap(self):
    first = splits.frames_of(_CLIPS, (0.0, 0.7))
    second = splits.frames_of(_CLIPS, (0.7, 1.0))
    self.assertEqual(first, [range(0, 7), range(0, 2)])
    self.assertEqual(second, [range(7, 10), range(2, 3)])

  def test_names_and_patterns(self):
    self.assertEqual(splits.frames_of(_CLIPS, ("drive_2/*",)), [range(0), range(3)])
    self.assertEqual(splits.frames_of(_CLIPS, ["drive_1/left"]), [range(10), range(0)])
    clip = footage.Clip("drive [1080p]", _frames(2))
    self.assertEqual(splits.frames_of([clip], [clip.name]), [range(2)])

  def test_clips_that_no_split_reads(self):
    used = splits.used(_CLIPS, {"train": ("drive_1/*",), "test": ("drive_3",)})
    self.assertEqual([clip.name for clip in used], ["drive_1/left"])
    self.assertLen(splits.used(_CLIPS, {"train": ("drive_1/*",), "test": (0.5, 1.0)}), 2)

  def test_samples_stay_within_their_part_of_a_clip(self):
    found = splits.samples(_CLIPS, (0.0, 1.0), 3, 2, 3, ())
    self.assertEqual(found, [(0, range(0, 5, 2)), (0, range(3, 8, 2))])

  def test_labels_choose_samples(self):
    found = splits.samples(_CLIPS, (0.0, 1.0), 2, 1, 1, ("depth",))
    self.assertEqual(found, [(0, range(3, 5)), (0, range(4, 6))])

  @parameterized.parameters(((0.5, 0.5),), ((0.0, 1.5),), ("drive_1",), ((),), ((1, 2, 3),))
  def test_refuses(self, split):
    with self.assertRaisesRegex(ValueError, "split 'train' must be"):
      splits.check({"train": split})


if __name__ == "__main__":
  absltest.main()
