"""What tasks take."""

import tensorflow as tf

from tf_taskology.tasks import depth, motion, surface_normals, task


class TakesTest(tf.test.TestCase):
  def test_takes_of(self):
    self.assertEqual(task.takes_of([depth.Depth(), surface_normals.SurfaceNormals()]), "frame")
    self.assertEqual(task.takes_of([motion.Motion()]), "pair")
    with self.assertRaisesRegex(ValueError, "'depth': 'frame', 'motion': 'pair'"):
      task.takes_of([depth.Depth(), motion.Motion()])

  def test_pairs(self):
    self.assertEqual(task.pairs(2), ((0, 1), (1, 0)))
    self.assertEqual(task.pairs(3), ((0, 1), (1, 0), (1, 2), (2, 1)))
    with self.assertRaisesRegex(ValueError, "2 or more"):
      task.pairs(1)


if __name__ == "__main__":
  tf.test.main()
