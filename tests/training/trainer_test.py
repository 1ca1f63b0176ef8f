"""A whole training in one process: what it leaves behind, how it goes on, how it fails."""
# bazel: size=medium, shard_count=3

import errno
import json
import os

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from tests.training import fit_probes, fixtures
from tf_taskology.datasets import element
from tf_taskology.peers import exporting, publishing
from tf_taskology.training import callbacks, errors, status, trainer


class BrokenSource(fixtures.PlanesSource):
  """Planes of which one has a label that is not a number."""

  def dataset(self, split):
    def broken(sample):
      factor = tf.where(sample[element.SAMPLE_ID] == "plane3", np.nan, 1.0)
      labels = {**sample[element.LABELS], "depth": sample[element.LABELS]["depth"] * factor}
      return {**sample, element.LABELS: labels}

    return super().dataset(split).map(broken)


class TrainerTestCase(tf.test.TestCase, parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.work_dir = self.create_tempdir().full_path

  def train(self, steps, *probes, mode="isolated", module="depth", work_dir=None, **arguments):
    return trainer.train(
      fixtures.collective(steps, **arguments),
      work_dir=work_dir or self.work_dir,
      mode=mode,
      module=None if mode == "synchronous" else module,
      extra_callbacks=probes,
    )

  def path(self, *parts):
    return os.path.join(self.work_dir, *parts)

  def status(self, module="depth"):
    return status.read(self.path(module))

  def history(self, module="depth"):
    with open(self.path(module, "history.jsonl")) as file:
      return [json.loads(line) for line in file]

  def versions(self, module="depth"):
    return publishing.versions(self.path("exports", module))


class RestartTest(TrainerTestCase):
  def test_sigterm_saves_and_the_next_run_goes_on_from_that_step(self):
    training = {"checkpoint_steps": 100, "images_every_epochs": 1}
    first, second = fit_probes.Watch(), fit_probes.Watch()
    result = self.train(12, first, fit_probes.At(6, fit_probes.send_sigterm), training=training)
    self.assertEqual((result.step, result.stopped), (7, True))
    stopped = self.status()
    self.assertEqual((stopped.state, stopped.message, stopped.step), ("waiting", "stopped", 7))
    self.assertEqual(self.versions(), [5, 7])

    result = self.train(12, second, training=training)
    self.assertEqual((result.step, result.stopped), (12, False))
    self.assertEqual(list(first.states) + list(second.states)[1:], list(range(13)))
    self.assertAllEqual(first.batches + second.batches, [i % 5 for i in range(12)])
    for saved, restored in zip(first.states[7], second.states[7], strict=True):
      self.assertAllEqual(saved, restored)
    done = self.status()
    self.assertEqual((done.state, done.step, done.initial_step), ("done", 12, 7))
    self.assertEqual(self.versions(), [7, 12])
    self.assertEqual(os.path.dirname(self.path("exports", "depth", "12")), result.exports["depth"])
    self.assertEqual([line["step"] for line in self.history()], [5, 7, 10, 12])
    self.assertIn("depth/log_l1", self.history()[-1]["losses"])
    tags = self.tensorboard_tags()
    self.assertContainsSubset({"losses/depth/log_l1", "training/steps_per_sec"}, tags)
    self.assertIn("dedicated/depth", tags)

  def tensorboard_tags(self):
    tags = set()
    for path in tf.io.gfile.glob(self.path("depth", "tensorboard", "*")):
      for event in tf.compat.v1.train.summary_iterator(path):
        tags |= {value.tag for value in event.summary.value}
    return tags

  def test_crash_loses_less_than_the_interval_of_checkpoints(self):
    training = {"checkpoint_steps": 2}
    first, second = fit_probes.Watch(), fit_probes.Watch()
    with self.assertRaises(fit_probes.Crash):
      self.train(8, first, fit_probes.At(7, fit_probes.crash), training=training)
    self.assertEqual(self.status().state, "failed")
    self.assertEqual(self.train(8, second, training=training).step, 8)
    self.assertEqual(self.status().initial_step, 6)
    for saved, restored in zip(first.states[6], second.states[6], strict=True):
      self.assertAllEqual(saved, restored)

  def test_restores_amid_an_epoch_of_several_steps_per_call(self):
    training = {"steps_per_epoch": 10, "steps_per_execution": 5, "checkpoint_steps": 5}
    watch = fit_probes.Watch()
    with self.assertRaises(fit_probes.Crash):
      self.train(20, fit_probes.At(15, fit_probes.crash), training=training)
    self.train(20, watch, training=training)
    self.assertEqual((watch.epochs, watch.batches), ([1], [9]))
    self.assertEqual(list(watch.states), [15, 20])

  def test_nothing_to_do(self):
    self.train(3)
    self.assertEqual(self.train(3).step, 3)
    self.assertEqual((self.status().state, self.versions()), ("done", [0, 3]))

  def test_initial_run_gives_weights_and_step(self):
    first, second = fit_probes.Watch(), fit_probes.Watch()
    self.train(7, first)
    other = self.create_tempdir().full_path
    result = self.train(11, second, work_dir=other, training={"initial_run": self.work_dir})
    self.assertEqual(result.step, 11)
    self.assertEqual(list(second.states), [7, 8, 9, 10, 11])
    for saved, restored in zip(first.states[7], second.states[7], strict=True):
      self.assertAllEqual(saved, restored)
    with self.assertRaisesRegex(ValueError, "initial_run = .* holds no checkpoint .* 'normals'"):
      self.train(9, module="normals", training={"initial_run": self.work_dir})

  def test_modules_trained_together_go_on_apart(self):
    together, apart = fit_probes.Watch(), fit_probes.Watch()
    self.train(5, together, mode="synchronous")
    other = self.create_tempdir().full_path
    arguments = {"module": "normals", "training": {"initial_run": self.work_dir}}
    self.train(6, apart, work_dir=other, **arguments)
    self.assertEqual(list(apart.states), [5, 6])
    number = len(apart.states[5])
    for saved, restored in zip(together.states[5][-number:], apart.states[5], strict=True):
      self.assertAllEqual(saved, restored)


class FailureTest(TrainerTestCase):
  def test_loss_that_is_no_number_ends_it_and_keeps_what_there_was(self):
    watch = fit_probes.Watch()
    self.train(5, watch)
    modules = fixtures.collective().modules
    modules[0].dedicated = BrokenSource()
    with self.assertRaisesRegex(errors.TrainingFailed, "not a finite number.*depth.*plane3"):
      self.train(20, modules=modules)
    failed = self.status()
    self.assertEqual(failed.state, "failed")
    self.assertIn("plane3", failed.message)
    self.assertIn("checkpoints", failed.message)
    self.assertContainsSubset([5], self.versions())
    again = fit_probes.Watch()
    self.train(6, again)
    for saved, restored in zip(watch.states[5], again.states[5], strict=True):
      self.assertAllEqual(saved, restored)

  def test_full_disk_does_not_end_it(self):
    write, back_up = exporting.Exporter.write, callbacks.Backup._backup
    seen = []

    def full(*unused):
      raise OSError(errno.ENOSPC, "No space left on device")

    def write_half(exporter, directory, step, published_at):
      write(exporter, directory, step, published_at)
      if step == 5:
        full()

    def back_up_or_not(backup, epoch, batch):
      if batch == 4:
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")
      back_up(backup, epoch, batch)

    look = fit_probes.At(6, lambda: seen.extend(os.listdir(self.path("exports", "depth"))))
    with (
      absltest.mock.patch.object(exporting.Exporter, "write", write_half),
      absltest.mock.patch.object(callbacks.Backup, "_backup", back_up_or_not),
      absltest.mock.patch.object(status.Status, "write", full),
      self.assertLogs(level="ERROR") as logs,
    ):
      result = self.train(8, look)
    self.assertEqual(result.step, 8)
    self.assertEqual(seen, ["0"])
    self.assertEqual(self.versions(), [0, 8])
    text = "\n".join(logs.output)
    for message in ("Version 5 of module 'depth' could not", "No checkpoint could", "The status"):
      self.assertIn(message, text)
    watch = fit_probes.Watch()
    self.train(9, watch)
    self.assertEqual(min(watch.states), 8)

  def test_exports_that_cannot_be_written_are_told_before_training(self):
    os.makedirs(self.path("exports"))
    with open(self.path("exports", "depth"), "w"):
      pass
    with self.assertRaisesRegex(OSError, "'depth' cannot be published to .*exports/depth"):
      self.train(5)
    self.assertEqual(self.status().state, "failed")

  @parameterized.parameters(
    ("modules", r"ModuleSpec\(depth\)\.batch_size = 3 does not divide over 2 replicas"),
    ("mediator", r"Mediator\.batch_size = 3 does not divide over 2 replicas"),
  )
  def test_batch_that_does_not_divide_over_the_replicas(self, field, message):
    self.assertLen(tf.config.list_logical_devices("CPU"), 2)
    value = getattr(fixtures.collective(), field)
    (value[0] if field == "modules" else value).batch_size = 3
    with self.assertRaisesRegex(ValueError, message):
      self.train(5, training={"strategy": "mirrored"}, **{field: value})


class ModesTest(TrainerTestCase):
  def test_synchronous_trains_and_publishes_all_modules(self):
    # Consistency trains depth only, and needs the normals of unlabelled samples all the same.
    for steps in (5, 7):
      result = self.train(steps, mode="synchronous", weights={"depth": 0.5})
      self.assertEqual(result.step, steps)
    self.assertEqual(self.status("collective").initial_step, 5)
    self.assertEqual(set(result.exports), {"depth", "normals"})
    for module in ("depth", "normals"):
      self.assertEqual(self.versions(module), [5, 7])
    losses = self.history("collective")[-1]["losses"]
    self.assertGreater(losses["depth/depth_normals/cosine"], 0)
    self.assertGreater(losses["normals/normals/cosine"], 0)
    self.assertNotIn("normals/depth_normals/cosine", losses)

  @parameterized.parameters("mixed_bfloat16", "mixed_float16")
  def test_half_precision_publishes_float32(self, precision):
    result = self.train(3, training={"precision": precision})
    self.assertEqual(result.step, 3)
    self.assertEqual(tf.keras.mixed_precision.global_policy().name, "float32")
    model = tf.saved_model.load(os.path.join(result.exports["depth"], "3"))
    image = tf.zeros([1, *fixtures.IMAGE_SIZE, 3], tf.uint8)
    depth = model.signatures["serving_default"](image=image)["depth"]
    self.assertEqual(depth.dtype, tf.float32)
    self.assertAllInRange(depth, 0.1, 100.0)


if __name__ == "__main__":
  cpus = tf.config.list_physical_devices("CPU")
  tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
  tf.test.main()
