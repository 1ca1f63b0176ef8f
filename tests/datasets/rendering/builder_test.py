"""What builders of rendered worlds report; how they prepare is tested with the worlds."""

from absl.testing import absltest

from tf_taskology.datasets.rendering import builder


class ProgressTest(absltest.TestCase):
  def test_progress_line(self):
    self.assertEqual(
      builder.progress_line("rooms/sensor_48x64", 500, 2000, 2, 10.0),
      "rooms/sensor_48x64 | rendered 500/2000 examples (25 %) | 100.0 frames/s | ETA 30 s",
    )
    self.assertEqual(
      builder.progress_line("streets/street_64x208", 20, 20, 3, 10.0),
      "streets/street_64x208 | rendered 20/20 examples (100 %) | 6.0 frames/s | took 10.0 s",
    )


if __name__ == "__main__":
  absltest.main()
