"""Tests of deployment/rollout.py and server_configs.py."""

import dataclasses
import json
import os

from absl.testing import absltest, parameterized

from serving import batching_config, configs, flags, monitoring
from serving.deployment import plan, rollout, server_configs
from tests.serving.deployment import rollouts


class RolloutTest(parameterized.TestCase):
  def test_trainer(self):
    made = rollouts.make({"cpu": ["surface_normals=4"]})
    arguments = made.trainer_arguments(
      rollouts.MODULES[1], {"depth": "d:1", "surface_normals": "n:1"}
    )
    self.assertEqual(
      arguments,
      [
        "--gin_file=/etc/taskology/config.gin",
        "--work_dir=/taskology/rooms",
        "--module=surface_normals",
        "--peer=depth=d:1",
        f"--peer=teacher={rollouts.TEACHER}",
        "--threads=4",
        "--exit_code_if_stopped=143",
      ],
    )

  @parameterized.parameters(True, False)
  def test_servers_flags_are_tensorflow_servings(self, batching):
    made = rollouts.make(batching=batching, storage=rollout.Storage(bucket="gs://abc"))
    parsed = flags.parse(made.server_arguments("depth"))
    self.assertEmpty(parsed.unknown)
    self.assertEqual((parsed.values.port, parsed.values.rest_api_port), (8500, 8501))
    self.assertEqual(parsed.values.enable_batching, batching)
    self.assertEqual(bool(parsed.values.batching_parameters_file), batching)
    self.assertEqual(parsed.values.model_config_file, "/etc/taskology/depth.models.config")

  def test_tf_config(self):
    text = rollout.tf_config(["a:1", "b:1"], "1")
    self.assertEqual(
      json.loads(text),
      {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}},
    )

  @parameterized.named_parameters(
    ("name", {"name": "Rooms"}, "'Rooms-depth-trainer' cannot be a name.*Choose another --name"),
    ("long_name", {"name": "r" * 30}, "at most 52 characters"),
    ("missing_peer", {"elsewhere": {}}, "predictions of teacher, .* --peer=teacher=host:port"),
    ("odd_peer", {"elsewhere": {"teacher": "t:1", "x": "t:2"}}, "for x, but .* They need: teacher"),
    (
      "tls", {"collective": rollouts.collective(tls_root_certificates="ca.pem")},
      "tls_root_certificates is set, but",
    ),
    (
      "samples", {"flags": {"workers": ["surface_normals=3"]}},
      r"ModuleSpec\(surface_normals\).batch_size = 16 does not divide over 3 workers",
    ),
    (
      "strategy",
      {
        "flags": {"workers": ["depth=2"]},
        "collective": rollouts.collective(
          modules=[dataclasses.replace(module, strategy="mirrored") for module in rollouts.MODULES]
        ),
      },
      r"--workers=depth=2, but ModuleSpec\(depth\).strategy is 'mirrored', which trains in one process",
    ),
    (
      "unlabelled", {"flags": {"workers": ["2"]}, "collective": rollouts.collective(mediator_batch_size=5)},
      "Mediator.batch_size = 5 does not divide over 2 workers",
    ),
  )  # fmt: skip
  def test_refuses(self, fields, message):
    with self.assertRaisesRegex(plan.DeployError, message):
      rollouts.make(**fields)

  @parameterized.parameters(
    (lambda: rollout.Storage(bucket="s3://a"), "form gs://bucket/folder.*Received: 's3://a'"),
    (lambda: rollout.Storage(bucket="gs://a/"), "form gs://bucket/folder"),
    (lambda: rollout.Storage(size="20GB"), "--storage must be an amount.*Received: '20GB'"),
    (lambda: rollout.Data("frames"), "--data_dir must be absolute. Received: 'frames'"),
    (lambda: rollout.Data(claim="frames"), "--data_claim needs --data_dir"),
  )
  def test_refuses_places(self, make, message):
    with self.assertRaisesRegex(plan.DeployError, message):
      make()


class ServerConfigsTest(parameterized.TestCase):
  def write(self, text):
    return self.create_tempfile(content=text).full_path

  @parameterized.parameters((None, "/taskology/rooms"), ("gs://a/b", "gs://a/b"))
  def test_models(self, root, prefix):
    text = server_configs.models(rollouts.make(), rollouts.NAMES, root)
    # The embedded server takes no buckets; the text is the same but for the path.
    read = configs.read_models(self.write(text.replace("gs://", "/")))
    self.assertEqual([model.name for model in read], list(rollouts.NAMES))
    self.assertEqual(
      [model.base_path for model in read],
      [os.path.join(prefix.replace("gs://", "/"), "exports", name) for name in rollouts.NAMES],
    )

  @parameterized.parameters((0, 1000, 32), (48, 1000, 48), (2000, 2000, 2000))
  def test_batching_takes_the_largest_request(self, largest, limit, batch):
    made = rollouts.make(
      {"server_cpu": ["depth=3"]}, collective=rollouts.collective(largest_request=largest)
    )
    read = batching_config.read_parameters(self.write(server_configs.batching(made)))
    self.assertEqual((read.max_batch_size, read.batch_size), (limit, batch))
    self.assertEqual((read.batch_timeout_micros, read.num_batch_threads), (0, 3))

  def test_monitoring(self):
    self.assertEqual(
      monitoring.read(self.write(server_configs.monitoring())), "/monitoring/prometheus/metrics"
    )


if __name__ == "__main__":
  absltest.main()
