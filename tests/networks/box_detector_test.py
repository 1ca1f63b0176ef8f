import numpy as np
import tensorflow as tf

from tf_taskology.geometry import anchors, bev_grid
from tf_taskology.networks import box_detector, point_pillars
from tf_taskology.tasks import box_decoding, detection

_GRID = bev_grid.BevGrid((-8, 8), (-4, 4), (-1, 3), 0.5)
_ANCHORS = anchors.Anchors(_GRID, 2)


class BoxDetectorTest(tf.test.TestCase):
  def test_exported_detector_answers_as_the_model(self):
    task = detection.Detection(_ANCHORS)
    model = point_pillars.PointPillars(
      _GRID, 4, (0, 1), (6, 8), (2, 2), up_channels=5, normalization="none"
    )([task])
    decoder = box_decoding.BoxDecoder(_ANCHORS, max_boxes=7, score_threshold=0.0)
    detector = box_detector.BoxDetector(model, task, decoder)
    folder = self.create_tempdir().full_path
    tf.saved_model.save(detector, folder, signatures={"serving_default": detector.serve})
    served = tf.saved_model.load(folder).signatures["serving_default"]
    random = np.random.RandomState(0)
    inputs = {
      "points": tf.constant(
        random.uniform([-9, -5, -2, 0], [9, 5, 4, 1], [2, 1, 50, 4]), tf.float32
      ),
      "num_points": tf.constant([[50], [30]]),
    }
    found = served(points=inputs["points"][:, 0], num_points=inputs["num_points"][:, 0])
    raw = model(inputs)["detection"][:, 0]
    expected = decoder(task.decode(raw))
    self.assertEqual(found["boxes"].shape, [2, 7, 7])
    for name, value in expected.items():
      self.assertAllClose(found[name], value, atol=1e-5)
    empty = served(points=tf.zeros([1, 0, 4]), num_points=tf.zeros([1], tf.int32))
    self.assertEqual(empty["scores"].shape, [1, 7])


if __name__ == "__main__":
  tf.test.main()
