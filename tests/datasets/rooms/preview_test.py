"""The picture of the rooms world shows what the labels say."""

import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.rooms import furniture, preview, render


class PreviewTest(absltest.TestCase):
  def test_classes_have_colours_of_their_own(self):
    colours = preview.class_colours()
    self.assertLen(np.unique(colours[: len(furniture.CLASSES)], axis=0), len(furniture.CLASSES))
    np.testing.assert_array_equal(colours[furniture.VOID], 0)

  def test_grid_places_frames_and_labels(self):
    jobs = [render.Job(domain, 12, 16) for domain in render.DOMAINS]
    picture = preview.grid(jobs, 2)
    self.assertEqual(picture.shape, (2 * 5 * 12, 2 * 16, 3))
    example = render.render(jobs[1], "train", 1)
    second = picture[5 * 12 :, 16:]
    np.testing.assert_array_equal(second[:12], example["image"][1])
    np.testing.assert_array_equal(second[12:24], example["image"][0])
    expected = np.minimum(example["depth"][0, ..., 0] / 7 * 255, 255).astype(np.uint8)
    np.testing.assert_allclose(second[24:36, :, 0].astype(int), expected, atol=1)


if __name__ == "__main__":
  absltest.main()
