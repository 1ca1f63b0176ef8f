"""Tests of datasets/video/camvid.py."""

import os

import numpy as np
from absl.testing import absltest
from PIL import Image

from tests.datasets.video import fixtures
from tf_taskology.datasets.video import camvid, views

_VIEW = views.View(views.plan(fixtures.SIZE, None, True), fixtures.CAMERA)


class CamVidTest(absltest.TestCase):
  def test_numbers_of_the_copy_with_11_classes(self):
    data = camvid.CamVid(fixtures.camvid(self.create_tempdir().full_path))
    clips = data.clips()
    self.assertEqual([clip.name for clip in clips], ["train/0001TP", "validation/0001TP"])
    label = data.read_label("segmentation", clips[0], clips[0].frames[0], _VIEW)
    # sky, building, pole, road, pavement, tree, sign, fence, car, pedestrian, cyclist, void
    expected = [10, 2, 5, 0, 1, 8, 7, 4, 13, 11, 12, 255]
    np.testing.assert_array_equal(label[3, : 2 * 12 : 2, 0], expected)

  def test_the_original_with_32_colours(self):
    folder = self.create_tempdir().full_path
    colours = {(0, 128, 192): 12, (64, 0, 128): 13, (192, 0, 64): 0, (0, 0, 0): 255, (0, 64, 64): 6}
    pixels = np.zeros((*fixtures.SIZE, 3), np.uint8)
    for row, colour in enumerate(colours):
      pixels[row] = colour
    name = "Seq05VD_f00000"
    fixtures.save(os.path.join(folder, "701_StillsRaw_full", f"{name}.png"), fixtures.image(0))
    path = os.path.join(folder, "LabeledApproved_full", f"{name}_L.png")
    fixtures.save(path, pixels)
    data = camvid.CamVid(folder)
    (clip,) = data.clips()
    self.assertEqual(clip.name, "all/Seq05VD")
    label = data.read_label("segmentation", clip, clip.frames[0], _VIEW)
    np.testing.assert_array_equal(label[:5, 7, 0], list(colours.values()))
    # Programs that make files small replace colours by numbers of their own.
    Image.fromarray(pixels).quantize(len(colours)).save(path)
    packed = data.read_label("segmentation", clip, clip.frames[0], _VIEW)
    np.testing.assert_array_equal(packed, label)
    pixels[3, 3] = (1, 2, 3)
    fixtures.save(path, pixels)
    with self.assertRaisesRegex(ValueError, rf"{name}_L.png' holds colours .*\(1, 2, 3\)"):
      data.read_label("segmentation", clip, clip.frames[0], _VIEW)

  def test_frames_of_several_recordings_and_gaps_are_clips_of_their_own(self):
    folder = self.create_tempdir().full_path
    fixtures.camvid(folder, (("train", 6),), numbers=(0, 30, 60, 600, 630, 660))
    names = [clip.name for clip in camvid.CamVid(folder).clips()]
    self.assertEqual(names, ["train/0001TP@0001TP_000000", "train/0001TP@0001TP_000600"])

  def test_numbers_of_an_image_with_a_palette(self):
    folder = fixtures.camvid(self.create_tempdir().full_path)
    data = camvid.CamVid(folder)
    clip = data.clips()[0]
    truth = data.read_label("segmentation", clip, clip.frames[0], _VIEW)
    path = clip.frames[0].files["segmentation"]
    with Image.open(path) as image:
      numbers = np.array(image)
    image = Image.fromarray(numbers)
    image.putpalette(list(range(36)))  # colours that mean nothing
    image.save(path)
    np.testing.assert_array_equal(
      data.read_label("segmentation", clip, clip.frames[0], _VIEW), truth
    )

  def test_bad_labels(self):
    folder = fixtures.camvid(self.create_tempdir().full_path)
    data = camvid.CamVid(folder)
    clip = data.clips()[0]
    path = clip.frames[0].files["segmentation"]
    fixtures.save(path, np.full(fixtures.SIZE, 12, np.uint8))
    with self.assertRaisesRegex(
      ValueError, r"000000.png' .* outside of the class map: \[12\].*0-11"
    ):
      data.read_label("segmentation", clip, clip.frames[0], _VIEW)
    fixtures.save(path, np.zeros((12, 20), np.uint8))
    with self.assertRaisesRegex(ValueError, "is 20x12 .* its frame is 40x24"):
      data.read_label("segmentation", clip, clip.frames[0], _VIEW)

  def test_a_folder_without_labels(self):
    with self.assertRaisesRegex(ValueError, "train/ with trainannot/"):
      camvid.CamVid(self.create_tempdir().full_path).clips()


if __name__ == "__main__":
  absltest.main()
