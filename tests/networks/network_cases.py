"""What every network must hold; a test of one network is a subclass that says how to build it."""

import dataclasses
import os

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class FakeTask:
  """All that a network may know of a task."""

  name: str
  raw_channels: int


DEPTH = FakeTask("depth", 1)
NORMALS = FakeTask("surface_normals", 3)


class NetworkCases:
  """Mixin for `tf.test.TestCase`: set `image_size`, `stride`, `wrong_size`, and define `network()`."""

  image_size = (32, 64)
  wrong_size = (40, 64)
  stride = 1

  def network(self):
    raise NotImplementedError

  def build(self, tasks=(DEPTH, NORMALS)):
    tf.keras.utils.set_random_seed(0)
    return self.network()(tasks, self.image_size)

  def images(self, batch=2):
    return tf.random.stateless_uniform((batch, *self.image_size, 3), (3, 4), maxval=255.0)

  def tearDown(self):
    tf.keras.mixed_precision.set_global_policy("float32")
    super().tearDown()

  def test_shapes(self):
    outputs = self.build()(self.images())
    size = [side // self.stride for side in self.image_size]
    self.assertEqual(outputs["depth"].shape, [2, *size, 1])
    self.assertEqual(outputs["surface_normals"].shape, [2, *size, 3])
    self.assertLen(outputs, 2)

  def test_raw_is_float32_under_mixed_precision(self):
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = self.build()
    for raw in model(self.images()).values():
      self.assertEqual(raw.dtype, tf.float32)
    convolutions = [layer for layer in model.layers if layer.name.startswith(("down1", "conv1"))]
    for layer in convolutions:
      self.assertEqual(layer.compute_dtype, "bfloat16")

  def test_training_reduces_the_loss_and_changes_every_variable(self):
    model = self.build()
    before = [v.numpy() for v in model.trainable_variables]
    optimizer = tf.keras.optimizers.Adam(1e-3)
    images = self.images()
    targets = {
      name: tf.random.stateless_normal((2, *shape[1:]), (1, 2))
      for name, shape in model.output_shape.items()
    }

    @tf.function
    def step():
      with tf.GradientTape() as tape:
        raw = model(images, training=True)
        loss = tf.add_n([tf.reduce_mean(tf.square(raw[name] - targets[name])) for name in targets])
      gradients = tape.gradient(loss, model.trainable_variables)
      optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
      return loss

    losses = [step().numpy() for _ in range(3)]
    self.assertLess(losses[-1], losses[0])
    unchanged = [
      v.name
      for v, b in zip(model.trainable_variables, before, strict=True)
      if np.array_equal(v.numpy(), b)
    ]
    self.assertEmpty(unchanged)

  def test_saved_weights_give_equal_predictions(self):
    model = self.build()
    path = os.path.join(self.get_temp_dir(), "w.weights.h5")
    model.save_weights(path)
    tf.keras.utils.set_random_seed(1)
    other = self.network()((DEPTH, NORMALS), self.image_size)
    self.assertNotAllClose(other(self.images())["depth"], model(self.images())["depth"])
    other.load_weights(path)
    for name, raw in model(self.images()).items():
      self.assertAllClose(other(self.images())[name], raw)

  def test_model_round_trip(self):
    model = self.build()
    path = os.path.join(self.get_temp_dir(), "model.keras")
    model.save(path)
    other = tf.keras.models.load_model(path)
    for name, raw in model(self.images()).items():
      self.assertAllClose(other(self.images())[name], raw)

  def test_refuses_an_image_size(self):
    with self.assertRaisesRegex(ValueError, rf"multiples of .* got \({self.wrong_size[0]}, "):
      self.network()((DEPTH,), self.wrong_size)

  def test_refuses_tasks_of_one_name(self):
    with self.assertRaisesRegex(ValueError, "distinct names"):
      self.network()((DEPTH, DEPTH), self.image_size)


class AlignedNetworkCases(NetworkCases):
  """The same, of networks whose padding is ours and keeps features in place."""

  def test_follows_the_image_in_place(self):
    """A mark in the image moves the raw prediction most at the pixel that the stride says."""
    model = self.build()
    images = np.full((1, *self.image_size, 3), 100.0, np.float32)
    row, column = (side // self.stride // 2 for side in self.image_size)
    variable = tf.Variable(images)
    with tf.GradientTape() as tape:
      value = tf.reduce_sum(model(variable)["depth"][0, row, column])
    gradient = np.abs(tape.gradient(value, variable)[0]).sum(-1)
    rows, columns = np.mgrid[: self.image_size[0], : self.image_size[1]]
    near = gradient[
      max(0, (row - 1) * self.stride) : (row + 2) * self.stride,
      max(0, (column - 1) * self.stride) : (column + 2) * self.stride,
    ]
    self.assertGreater(near.mean(), 1.5 * gradient.mean())
    self.assertAlmostEqual((rows * gradient).sum() / gradient.sum(), row * self.stride, delta=4)
    self.assertAlmostEqual(
      (columns * gradient).sum() / gradient.sum(), column * self.stride, delta=6
    )
