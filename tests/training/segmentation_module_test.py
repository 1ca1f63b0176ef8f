"""A task whose labels are class numbers and whose predictions are logits, through all of training and serving."""

import os

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.training import fixtures
from tf_taskology.datasets import augmentation, element, source
from tf_taskology.peers import frozen, publishing, resizing
from tf_taskology.tasks import depth, segmentation
from tf_taskology.training import building, experiment, inputs, optimization, pictures

_CLASSES = 5


class StripesSource(source.ImageSource):
  """Pictures of which the left part is of one class and the right part of another; colour tells the class.

  Args:
    dtype: of the class numbers.
  """

  image_size = fixtures.IMAGE_SIZE
  num_frames = 2
  labels = ("segmentation", "depth")

  def __init__(self, dtype=np.uint8):
    self._dtype = dtype

  @property
  def element_spec(self):
    return self.dataset("train").element_spec

  def num_samples(self, split):
    return 16

  def describe(self):
    return "stripes"

  def dataset(self, split):
    height, width = self.image_size
    random = np.random.default_rng(0)
    labels = np.zeros([16, 2, height, width, 1], np.uint8)
    for label in labels:
      border = random.integers(2, width - 2)
      label[:, :, :border], label[:, :, border:] = random.permutation(_CLASSES)[
        :2, None, None, None
      ]
    images = np.concatenate([labels * 60, 255 - labels * 60, labels * 30], axis=-1)
    labels[:, :, 0] = segmentation.IGNORE
    intrinsics = np.broadcast_to(np.eye(3, dtype=np.float32), [16, 2, 3, 3])
    data = {
      element.IMAGE: images.astype(np.uint8),
      element.INTRINSICS: intrinsics,
      element.SAMPLE_ID: [f"stripes{i}" for i in range(16)],
      element.LABELS: {
        "segmentation": labels.astype(self._dtype),
        "depth": np.ones([16, 2, height, width, 1], np.float32),
      },
    }
    return tf.data.Dataset.from_tensor_slices(data)


def collective(tasks=None, precision="float32", dtype=np.uint8, num_frames=2, **training):
  spec = experiment.ModuleSpec(
    name="segmentation",
    tasks=tasks or [segmentation.Segmentation(_CLASSES, groups={"some": (1, 2)})],
    network=fixtures.tiny_network,
    dedicated=StripesSource(dtype),
    optimization=optimization.Optimization(learning_rate=0.05),
    batch_size=8,
    num_frames=num_frames,
    augmentation=augmentation.ColorAugmentation(noise=0.01),
  )
  settings = experiment.Training(steps=30, precision=precision, **training)
  return experiment.Collective(modules=[spec], training=settings)


def build(configuration):
  return building.build(configuration, configuration.modules[0], isolated=True)


class SegmentationModuleTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters(
    ("float32", np.uint8, False),
    ("mixed_bfloat16", np.uint8, False),
    ("float32", np.float32, True),
  )
  def test_learns_from_class_numbers(self, precision, dtype, xla):
    configuration = collective(precision=precision, dtype=dtype, xla_losses=xla)
    module = build(configuration)
    batches = inputs.module_batches(configuration, configuration.modules[0])
    history = module.fit(batches, epochs=3, steps_per_epoch=15, verbose=0).history
    self.assertLess(
      history["segmentation/cross_entropy"][-1], 0.7 * history["segmentation/cross_entropy"][0]
    )
    self.assertGreater(history["segmentation/miou"][-1], history["segmentation/miou"][0])
    self.assertIn("segmentation/miou_some", history)

  def test_mirror_and_subsampling_keep_class_numbers(self):
    batch = next(iter(StripesSource().dataset("train").batch(4)))
    mirrored = element.flip_left_right(batch, tf.constant([True, False, True, False]))
    label = mirrored[element.LABELS]["segmentation"]
    original = batch[element.LABELS]["segmentation"]
    self.assertEqual(label.dtype, tf.uint8)
    self.assertAllEqual(label[0], original[0][:, :, ::-1])
    self.assertAllEqual(label[1], original[1])
    fine = element.subsample({"segmentation": label}, 4, 8)["segmentation"]
    self.assertAllEqual(fine, label[:, :, ::2, ::2])

  def test_another_task_beside_it(self):
    configuration = collective([segmentation.Segmentation(_CLASSES), depth.Depth()])
    module = build(configuration)
    batch = next(iter(inputs.module_batches(configuration, configuration.modules[0])))
    results = module.train_step(batch)
    self.assertIn("depth/abs_rel", results)
    self.assertGreater(results["segmentation/cross_entropy"], 0)

  def test_published_model_answers_logits_at_both_resolutions(self):
    configuration = collective()
    module = build(configuration)
    export_dir = os.path.join(self.get_temp_dir(), "segmentation")
    publishing.Publisher(export_dir).publish(module.network, module.tasks, 7)
    (output,) = module.tasks[0].outputs.values()
    peer = frozen.FrozenPeer("segmentation", {"segmentation": output}, export_dir=export_dir)
    images = next(iter(StripesSource().dataset("train").batch(4)))[element.IMAGE]
    own = module(images)["segmentation"]
    answer = peer.predict({"image": element.fold_frames(images).numpy()})
    logits = answer.predictions["segmentation"]
    self.assertEqual(logits.dtype, np.float32)
    self.assertEqual(logits.shape, (8, 4, 8, _CLASSES))
    self.assertAllClose(logits, element.fold_frames(own), rtol=2e-3, atol=1e-3)  # half precision
    full = tf.saved_model.load(os.path.join(export_dir, "7")).signatures["serving_default"]
    full = full(image=element.fold_frames(images))["segmentation"]
    self.assertAllClose(
      full, resizing.bilinear(element.fold_frames(own), fixtures.IMAGE_SIZE), atol=1e-4
    )
    self.assertAllClose(resizing.prediction(full, (4, 8), output), full[:, ::2, ::2], atol=1e-5)

  def test_pictures(self):
    module = build(collective())
    drawn = pictures.Drawer({"stripes": StripesSource().dataset("train")})(module)["stripes"]
    height, width = fixtures.IMAGE_SIZE
    self.assertEqual(drawn.shape, (4, height, 2 * width, 3))

  @parameterized.parameters(
    ((8, 16, 3), ValueError, "class numbers"),
    ((8, 16, 1), tf.errors.InvalidArgumentError, "neither one of 5 classes nor 255"),
  )
  def test_refuses_other_labels(self, shape, error, message):
    task = segmentation.Segmentation(_CLASSES)
    label = tf.fill([2, 1, *shape], tf.constant(9, tf.uint8))
    with self.assertRaisesRegex(error, message):
      task.loss({"segmentation": label}, {"segmentation": tf.zeros([2, 1, 8, 16, _CLASSES])})


if __name__ == "__main__":
  tf.test.main()
