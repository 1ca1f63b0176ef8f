"""The server's command line, from the outside."""

# bazel: size=medium, deps=//serving:model_server

import os
import subprocess
import sys
import tempfile

from absl.testing import absltest, parameterized

from serving import errors, flags

# TensorFlow Serving's flags at 2.15.1 (model_servers/main.cc).
_PEERS_FLAGS = """
  port grpc_socket_path rest_api_port rest_api_num_threads rest_api_timeout_in_ms
  rest_api_enable_cors_support enable_batching allow_version_labels_for_unavailable_models
  batching_parameters_file model_config_file model_config_file_poll_wait_seconds model_name
  model_base_path num_load_threads num_unload_threads max_num_load_retries
  load_retry_interval_micros file_system_poll_wait_seconds flush_filesystem_caches
  tensorflow_session_parallelism tensorflow_session_config_file tensorflow_intra_op_parallelism
  tensorflow_inter_op_parallelism use_alts_credentials ssl_config_file platform_config_file
  per_process_gpu_memory_fraction saved_model_tags grpc_channel_arguments grpc_max_threads
  enable_model_warmup num_request_iterations_for_warmup version monitoring_config_file
  remove_unused_fields_from_bundle_metagraph prefer_tflite_model num_tflite_pools
  num_tflite_interpreters_per_pool enable_signature_method_name_check xla_cpu_compilation_enabled
  enable_profiler thread_pool_factory_config_file mixed_precision skip_initialize_tpu
  enable_grpc_healthcheck_service enable_per_model_batching_parameters
"""


def _run(*arguments, config=None):
  """Runs the server to its end; gives status, standard output, standard error."""
  with tempfile.NamedTemporaryFile("w") as file:
    if config is not None:
      file.write(config)
      file.flush()
      arguments = (*arguments, f"--model_config_file={file.name}")
    done = subprocess.run(
      [sys.executable, "-m", "serving.model_server", *arguments],
      env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
      capture_output=True,
      text=True,
      timeout=120,
    )
  return done.returncode, done.stdout, done.stderr


class FlagsTest(parameterized.TestCase):
  def test_every_flag_of_the_peer_is_known(self):
    names = _PEERS_FLAGS.split()
    self.assertLen(names, 46)
    self.assertContainsSubset(names, flags.FLAGS)

  def test_values(self):
    values = flags.parse(
      [
        "--port=1",
        "--port=2",
        "--model_name=a=b",
        "--enable_batching",
        "--enable_model_warmup=false",
        "--per_process_gpu_memory_fraction=0.5",
        "--file_system_poll_wait_seconds=-1",
      ]
    ).values
    self.assertEqual(values.port, 2)
    self.assertEqual(values.model_name, "a=b")
    self.assertTrue(values.enable_batching)
    self.assertFalse(values.enable_model_warmup)
    self.assertEqual(values.per_process_gpu_memory_fraction, 0.5)
    self.assertEqual(values.file_system_poll_wait_seconds, -1)
    self.assertEqual(values.max_num_load_retries, 5)

  def test_unknown_arguments_are_kept_apart(self):
    parsed = flags.parse(["--nope=1", "--port", "8501", "-port=3", "--model_name"])
    self.assertEqual(parsed.unknown, ["--nope=1", "--port", "8501", "-port=3", "--model_name"])
    self.assertEqual(parsed.values.port, 8500)

  def test_flags_without_effect_are_named_if_set_to_another_value(self):
    parsed = flags.parse(["--num_unload_threads=4", "--mixed_precision=", "--port=1"])
    self.assertEqual(parsed.ineffective, ["num_unload_threads"])

  @parameterized.parameters(
    ("--port", "--port was ignored; write --port=VALUE, without a space"),
    ("-port=1", "-port=1 was ignored; write --port=VALUE, without a space"),
    ("--model_base_dir=/m", "--model_base_dir=/m was ignored; did you mean --model_base_path?"),
  )
  def test_unknown_arguments_get_a_hint(self, argument, hint):
    self.assertEqual(flags.parse([argument]).hints, [hint])

  @parameterized.parameters(
    "--port=x",
    "--port=",
    "--port=1.5",
    "--port=9999999999",
    "--enable_batching=1",
    "--enable_batching=True",
    "--per_process_gpu_memory_fraction=x",
    "--load_retry_interval_micros=9999999999999999999",
  )
  def test_bad_value(self, argument):
    with self.assertRaisesRegex(errors.StatusError, argument.partition("=")[0]):
      flags.parse([argument])


class StartTest(parameterized.TestCase):
  def test_version(self):
    status, stdout, _ = _run("--version")
    self.assertEqual(status, 0)
    self.assertRegex(
      stdout, r"\ATensorFlow ModelServer: 2\.\d+\S+\nTensorFlow Library: 2\.\d+\.\d+\n\Z"
    )

  def test_bad_value_prints_usage(self):
    status, stdout, stderr = _run("--port=x")
    self.assertEqual(status, 255)
    self.assertContainsSubset(["Flags:"], stdout.splitlines())
    self.assertEmpty(stderr)

  def test_unknown_flag_is_reported_and_the_start_goes_on(self):
    status, stdout, _ = _run("--nope=1", "--model_base_path=relative")
    self.assertEqual(status, 255)
    self.assertStartsWith(stdout, "unknown argument: --nope=1\nusage:")
    self.assertEndsWith(
      stdout,
      "Failed to start server. Error: INVALID_ARGUMENT: Expected model default to have an absolute "
      "path or URI; got base_path()=relative\n",
    )

  def test_nothing_to_serve(self):
    status, stdout, _ = _run()
    self.assertEqual(status, 255)
    self.assertIn("model_base_path and server_options.model_config_file are empty!", stdout)

  def test_threads_of_a_session_may_be_given_in_one_way_only(self):
    session = "--tensorflow_session_parallelism=2"
    one = (session, "--tensorflow_inter_op_parallelism=1")
    status, stdout, _ = _run(*one, "--tensorflow_intra_op_parallelism=1")
    self.assertEqual(status, 255)
    self.assertIn(
      "INVALID_ARGUMENT: Either configure server_options.tensorflow_session_parallelism or ", stdout
    )
    _, stdout, _ = _run(*one)
    self.assertIn("server_options.model_config_file are empty!", stdout)

  def test_models_that_all_fail_end_the_start(self):
    with tempfile.TemporaryDirectory() as base_path:
      os.makedirs(os.path.join(base_path, "1"))
      status, stdout, _ = _run(f"--model_base_path={base_path}", "--max_num_load_retries=0")
    self.assertEqual(status, 255)
    self.assertStartsWith(
      stdout,
      "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: "
      "{{{name: default version: 1} due to error: NOT_FOUND: ",
    )

  @parameterized.named_parameters(
    ("not_a_config", "nonsense {", "Invalid protobuf file: '"),
    (
      "platform",
      "model_config_list { config { name: 'm' base_path: '/m' model_platform: 'torch' } }",
      "Model m requests unsupported platform torch",
    ),
    (
      "no_platform",
      "model_config_list { config { name: 'm' base_path: '/m' } }",
      "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
      "ModelServerConfig::model_platform, model name is m",
    ),
    (
      "twice",
      "model_config_list { config { name: 'm' base_path: '/m' model_platform: 'tensorflow' } "
      "config { name: 'm' base_path: '/n' model_platform: 'tensorflow' } }",
      "Illegal to list model m multiple times in config list",
    ),
  )
  def test_bad_config_file(self, config, message):
    status, stdout, stderr = _run(config=config)
    self.assertEqual(status, 255)
    self.assertIn(f"Failed to start server. Error: INVALID_ARGUMENT: {message}", stdout)
    if config == "nonsense {":
      self.assertStartsWith(
        stderr, "Error parsing text-format tensorflow.serving.ModelServerConfig: "
      )

  def test_base_path_elsewhere_says_what_to_do(self):
    status, stdout, _ = _run("--model_base_path=gs://bucket/model")
    self.assertEqual(status, 255)
    self.assertIn("this server reads local folders only, not gs://", stdout)

  def test_nowhere_to_listen(self):
    with tempfile.TemporaryDirectory() as base_path:
      arguments = [f"--model_base_path={base_path}", "--port=0", "--wait_for_models=false"]
      status, stdout, _ = _run(*arguments)
    self.assertEqual(status, 255)
    self.assertIn("grpc_port or server_options.grpc_socket_path must be set.", stdout)


if __name__ == "__main__":
  absltest.main()
