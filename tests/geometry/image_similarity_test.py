import numpy as np
import tensorflow as tf

from tf_taskology.geometry import image_similarity


class ImageSimilarityTest(tf.test.TestCase):
  def test_box_mean_is_average_pooling(self):
    x = tf.random.stateless_uniform([2, 6, 7, 3], [1, 2])
    self.assertAllClose(image_similarity.box_mean(x), tf.nn.avg_pool2d(x, 3, 1, "VALID"), atol=1e-6)

  def test_one_window_by_hand(self):
    random = np.random.RandomState(0)
    x, y = random.uniform(size=[2, 3, 3, 1])
    weight = random.uniform(size=[3, 3, 1])
    c1, c2, epsilon = 1e-4, 9e-4, 0.01
    w = (weight + epsilon) / (weight + epsilon).sum()
    mean_x, mean_y = (w * x).sum(), (w * y).sum()
    variance_x, variance_y = (w * (x - mean_x) ** 2).sum(), (w * (y - mean_y) ** 2).sum()
    covariance = (w * (x - mean_x) * (y - mean_y)).sum()
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    args = [tf.constant(v) for v in (x, y, weight)]
    distance, mean_weight = image_similarity.ssim_distance(*args, c1=c1, c2=c2)
    self.assertAllClose(distance, [[[(1 - structure * luminance) / 2]]], atol=1e-12)
    self.assertAllClose(mean_weight, [[[weight.mean()]]], atol=1e-12)
    distance, _ = image_similarity.ssim_distance(*args, c1=None, c2=c2)
    self.assertAllClose(distance, [[[(1 - structure) / 2]]], atol=1e-12)

  def test_equal_images_have_distance_zero_and_brightness_does_not_matter_without_c1(self):
    x = tf.random.stateless_uniform([1, 8, 8, 3], [1, 2], maxval=0.7)
    weight = tf.ones([1, 8, 8, 1])
    self.assertAllClose(image_similarity.ssim_distance(x, x, weight)[0], tf.zeros([1, 6, 6, 3]))
    distance, _ = image_similarity.ssim_distance(x, x + 0.3, weight)
    self.assertAllClose(distance, tf.zeros([1, 6, 6, 3]), atol=1e-4)
    distance, _ = image_similarity.ssim_distance(x, 1 - x, weight)
    self.assertAllClose(distance, tf.ones([1, 6, 6, 3]), atol=0.02)

  def test_pixels_without_weight_do_not_count(self):
    x = tf.random.stateless_uniform([1, 5, 5, 1], [1, 2])
    weight = np.ones([1, 5, 5, 1], np.float32)
    weight[0, 2, 2] = 0
    broken = tf.where(weight > 0, x, x + 0.8)
    masked, _ = image_similarity.ssim_distance(x, broken, tf.constant(weight))
    counted, _ = image_similarity.ssim_distance(x, broken, tf.ones_like(x))
    self.assertAllLess(masked / counted, 0.3)

  def test_smoothness_by_hand(self):
    values = tf.constant([[1.0, 2.0], [1.0, 5.0]])[None, ..., None]
    image = tf.constant([[0.0, 0.5], [0.0, 0.0]])[None, ..., None]
    across = (1 * np.exp(-0.5) + 4) / 2
    down = (0 + 3 * np.exp(-0.5)) / 2
    self.assertAllClose(image_similarity.edge_aware_smoothness(values, image), across + down)


if __name__ == "__main__":
  tf.test.main()
