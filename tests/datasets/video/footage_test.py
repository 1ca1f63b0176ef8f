"""Tests of datasets/video/footage.py."""

from absl.testing import absltest

from tf_taskology.datasets.video import footage


class CutAtGapsTest(absltest.TestCase):
  def test_clips_are_cut_where_numbers_jump(self):
    frames = [footage.Frame(str(i), f"{i}.png") for i in range(6)]
    clips = footage.cut_at_gaps("a", frames, [0, 2, 4, 10, 12, 14])
    self.assertEqual([(clip.name, len(clip.frames)) for clip in clips], [("a@0", 3), ("a@3", 3)])
    self.assertEqual(footage.cut_at_gaps("a", frames, range(6))[0].name, "a")
    self.assertEmpty(footage.cut_at_gaps("a", (), ()))


if __name__ == "__main__":
  absltest.main()
