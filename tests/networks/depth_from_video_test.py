"""Tests of networks/depth_from_video.py."""

import numpy as np
import tensorflow as tf

from tests.networks import network_cases
from tf_taskology.networks import depth_from_video


class DepthFromVideoTest(network_cases.AlignedNetworkCases, tf.test.TestCase):
  image_size = (32, 64)
  wrong_size = (48, 64)

  def network(self):
    return depth_from_video.DepthFromVideo(noise_rampup_calls=0, width=16)

  def test_parameter_count_is_that_of_the_published_code(self):
    model = depth_from_video.DepthFromVideo()((network_cases.DEPTH,), self.image_size)
    count = sum(np.prod(v.shape) for v in model.trainable_variables)
    self.assertEqual(count, 14_325_425)

  def test_shortcuts_have_no_normalization(self):
    names = [layer.name for layer in self.build().layers]
    self.assertIn("conv3_1_shortcut", names)
    self.assertNotIn("conv3_1_shortcut_norm", names)
    self.assertLen([name for name in names if name.endswith("_norm")], 17)

  def test_noise_is_there_in_training_only(self):
    model = self.build((network_cases.DEPTH,))
    images = self.images()
    self.assertAllEqual(model(images)["depth"], model(images)["depth"])
    self.assertNotAllClose(
      model(images, training=True)["depth"], model(images, training=True)["depth"]
    )

  def test_batch_normalization_instead(self):
    network = depth_from_video.DepthFromVideo(normalization="batch", width=16)
    model = network((network_cases.DEPTH,), self.image_size)
    shapes = [v.shape for v in model.trainable_variables]
    self.assertCountEqual(
      shapes, [v.shape for v in self.build((network_cases.DEPTH,)).trainable_variables]
    )

  def test_refuses_an_unknown_normalization(self):
    with self.assertRaisesRegex(ValueError, "'layer'"):
      depth_from_video.DepthFromVideo(normalization="layer")


if __name__ == "__main__":
  tf.test.main()
