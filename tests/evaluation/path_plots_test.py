"""Tests of trajectories from above."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_taskology.evaluation import path_plots, trajectory


class PathPlotsTest(tf.test.TestCase):
  def _chart(self, points):
    path = trajectory.Trajectory("a/b/c", *[np.array(points, np.float64)] * 3)
    return path_plots.PathChart(
      "b/c", {n: path.truth[:, [0, 2]] for n in ("truth", "constant velocity", "run")}
    )

  def test_standing_still_and_moving_are_drawn(self):
    charts = [self._chart([[0, 0, 0]] * 3), self._chart([[0, 0, 0], [1, 0, 5], [3, 0, 9]])]
    for chart in charts:
      text = path_plots.svg(chart, ["run"])
      self.assertStartsWith(text, "<svg")
      self.assertIn("currentColor", text)
    image = Image.open(io.BytesIO(path_plots.png(charts, ["run"])))
    self.assertGreater(image.size[0], image.size[1])


if __name__ == "__main__":
  tf.test.main()
