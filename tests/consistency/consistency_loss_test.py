"""What relations read."""

from absl.testing import absltest

from tf_taskology.consistency import consistency_loss, depth_normals, photometric


class FramesReadTest(absltest.TestCase):
  def test_frames_and_pairs(self):
    video = photometric.Photometric(frames=(1, 2))
    single = depth_normals.DepthNormals()
    self.assertEqual(consistency_loss.frames_read([video]), 3)
    self.assertEqual(consistency_loss.frames_read([single]), 1)
    self.assertEqual(consistency_loss.frames_read([single, video], ["rotation"]), 3)
    self.assertEqual(consistency_loss.frames_read([single, video], ["normals"]), 1)
    self.assertEqual(consistency_loss.frames_read([single, video], ["segmentation"]), 0)
    self.assertEqual(consistency_loss.frames_read([]), 0)


if __name__ == "__main__":
  absltest.main()
