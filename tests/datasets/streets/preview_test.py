"""The picture of the streets world shows what the labels say."""

import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.streets import classes, preview, render


class PreviewTest(absltest.TestCase):
  def test_classes_have_colours_of_their_own(self):
    ids = [c.id for c in classes.CLASSES]
    self.assertLen(np.unique(classes.colours()[ids], axis=0), len(ids))
    np.testing.assert_array_equal(classes.colours()[classes.VOID], 0)

  def test_panels(self):
    job = render.Job("street", 12, 40)
    example = render.render(job, "train", 1)
    panels = preview.panels(example)
    self.assertLen(panels, 3 + 3)
    np.testing.assert_array_equal(panels[1], example["image"][1])
    sky = example["depth"][0, ..., 0] == 0
    np.testing.assert_array_equal(panels[3][sky], 0)
    np.testing.assert_array_equal(panels[4][sky], np.tile(np.uint8([70, 130, 180]), (sky.sum(), 1)))
    still = example["rigid"][0, ..., 0] == 0
    np.testing.assert_array_equal(panels[5][still], 128)
    jobs = [job, render.Job("stills", 12, 40, 1)]
    self.assertEqual(preview.grid(jobs, 2).shape, ((6 + 3) * 12, 2 * 40, 3))


if __name__ == "__main__":
  absltest.main()
