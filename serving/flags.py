"""The server's flags: TensorFlow Serving's 46, by name, type and default, and a few of its own.

Parsed as TensorFlow Serving does (tensorflow/core/util/command_line_flags.cc): only `--flag=value`;
a bare `--flag` sets a boolean; unknown flags are reported and ignored. (absl's flags differ in all
three.)
"""

import dataclasses
import difflib
import os
import re
import types
from collections.abc import Sequence

from serving import errors

_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)
_CPUS = len(os.sched_getaffinity(0))


@dataclasses.dataclass(frozen=True)
class Flag:
  """A flag.

  Attributes:
    name: without the dashes.
    kind: "int32", "int64", "bool", "float", "string" or "port" (an int32 or the word auto).
    default: value if it is not given.
    help: one sentence; empty for a flag that is accepted and has no effect here.
  """

  name: str
  kind: str
  default: object
  help: str = ""

  def parse(self, text: str) -> object:
    """The value that a text stands for.

    Raises:
      ValueError: if it stands for none.
    """
    if self.kind == "string" or (self.kind == "port" and text == "auto"):
      return text
    if self.kind == "bool" and text in ("true", "false"):
      return text == "true"
    if self.kind == "float":
      return float(text)
    if self.kind != "bool" and re.fullmatch(r"[+-]?[0-9]+", text):
      value = int(text)
      if value in (_INT64 if self.kind == "int64" else _INT32):
        return value
    raise ValueError(f"{text!r} is no {self.kind}")


# TensorFlow Serving's flags that work here.
_EFFECTIVE = (
  Flag(
    "port", "port", 8500, "TCP port for gRPC; 0 for none; auto for a free one (see --port_file)."
  ),
  Flag("grpc_socket_path", "string", "", "Also serve gRPC on this Unix socket."),
  Flag("model_name", "string", "default", "Name of the model, if there is no --model_config_file."),
  Flag("model_base_path", "string", "", "Absolute path of the folder that holds its versions."),
  Flag("model_config_file", "string", "", "ModelServerConfig in text form: several models."),
  Flag(
    "file_system_poll_wait_seconds",
    "int32",
    1,
    "Seconds between looks for new versions; 0 looks once, less never.",
  ),
  Flag(
    "max_num_load_retries",
    "int32",
    5,
    "How often a failed load is repeated before the version counts as failed. A server none of whose "
    "models loads ends then; otherwise retries go on, at up to ten times the next flag's interval.",
  ),
  Flag(
    "load_retry_interval_micros",
    "int64",
    60_000_000,
    "Longest wait between retries; they begin at one second and double. A version whose files change "
    "is tried at once.",
  ),
  Flag("enable_model_warmup", "bool", True, "Run assets.extra/tf_serving_warmup_requests at load."),
  Flag("num_request_iterations_for_warmup", "int32", 0, "Runs per warm-up record; 0 means 1."),
  Flag("saved_model_tags", "string", "serve", "Comma-separated tags of the graph to load."),
  Flag(
    "enable_signature_method_name_check", "bool", False, "Refuse other than the standard methods."
  ),
  Flag(
    "tensorflow_session_parallelism", "int64", 0, "Sets both of the next two, if neither is set."
  ),
  Flag("tensorflow_intra_op_parallelism", "int64", 0, "Threads within an operation; 0: all CPUs."),
  Flag("tensorflow_inter_op_parallelism", "int64", 0, "Threads for operations; 0: all CPUs."),
  Flag("tensorflow_session_config_file", "string", "", "ConfigProto in text form."),
  Flag("per_process_gpu_memory_fraction", "float", 0.0, "Share of a GPU's memory to take."),
  Flag("grpc_max_threads", "int32", 4 * _CPUS, "Requests handled at a time."),
  Flag("grpc_channel_arguments", "string", "", "gRPC channel arguments: key=value,key=value."),
  Flag("ssl_config_file", "string", "", "SSLConfig in text form: serve with TLS."),
  Flag(
    "rest_api_port",
    "port",
    0,
    "TCP port for HTTP and REST; 0 for none; auto for a free one (see --rest_port_file).",
  ),
  Flag("rest_api_num_threads", "int32", 4 * _CPUS, "HTTP requests handled at a time."),
  Flag("rest_api_timeout_in_ms", "int32", 30_000, "How long an HTTP request may take."),
  Flag("rest_api_enable_cors_support", "bool", False, "Answer browsers of other origins."),
  Flag("monitoring_config_file", "string", "", "MonitoringConfig in text form: Prometheus."),
  Flag("enable_batching", "bool", False, "Run several requests together."),
  Flag(
    "batching_parameters_file", "string", "", "BatchingParameters in text form; its own defaults."
  ),
  Flag(
    "enable_per_model_batching_parameters",
    "bool",
    False,
    "Read batching_params.pbtxt in the version's folder instead, where there is one.",
  ),
  Flag(
    "model_config_file_poll_wait_seconds",
    "int32",
    0,
    "Seconds between looks at --model_config_file; 0 reads it once.",
  ),
  Flag(
    "allow_version_labels_for_unavailable_models",
    "bool",
    False,
    "New labels may point to versions that are not there; requests get NOT_FOUND until they are.",
  ),
  Flag(
    "num_load_threads",
    "int32",
    0,
    "Versions loaded at a time; 0 lets every model load by itself, so that none waits for another.",
  ),
  Flag("prefer_tflite_model", "bool", False, "Serve a version's model.tflite, if there is one."),
  Flag("num_tflite_pools", "int32", 1, "Factor of the next one."),
  Flag(
    "num_tflite_interpreters_per_pool", "int32", 1, "Requests a model.tflite answers at a time."
  ),
  Flag("enable_profiler", "bool", True, "Serve tensorflow.ProfilerService: traces on request."),
  Flag("enable_grpc_healthcheck_service", "bool", True, "Serve grpc.health.v1.Health."),
  Flag(
    "enable_grpc_reflection",
    "bool",
    False,
    "Serve grpc.reflection.v1alpha, for grpcurl and the like; each of its streams takes up a thread.",
  ),
  Flag("version", "bool", False, "Print versions and exit."),
)
# TensorFlow Serving's flags that are accepted for its command lines' sake.
_WITHOUT_EFFECT = (
  Flag("num_unload_threads", "int32", 0),
  Flag("flush_filesystem_caches", "bool", True),
  Flag("use_alts_credentials", "bool", False),
  Flag("platform_config_file", "string", ""),
  Flag("remove_unused_fields_from_bundle_metagraph", "bool", True),
  Flag("xla_cpu_compilation_enabled", "bool", False),
  Flag("thread_pool_factory_config_file", "string", ""),
  Flag("mixed_precision", "string", ""),
  Flag("skip_initialize_tpu", "bool", False),
)
# This server's own.
_OWN = (
  Flag("bind_address", "string", "127.0.0.1", "Network interface of both ports; 0.0.0.0 for all."),
  Flag("port_file", "string", "", "Write the port here, atomically, once it is open."),
  Flag(
    "wait_for_models",
    "bool",
    True,
    "Open the ports only when every model was tried and one of them serves; false opens them at once.",
  ),
  Flag("rest_port_file", "string", "", "Write the HTTP port here, atomically, once it is open."),
  Flag("rest_max_body_bytes", "int64", 100 * 2**20, "Larger HTTP request bodies are refused."),
  Flag(
    "enable_reload_by_rpc",
    "bool",
    True,
    "Answer HandleReloadConfigRequest, by which any client may have any folder served.",
  ),
  Flag(
    "warm_up_without_records",
    "bool",
    True,
    "With --enable_model_warmup: run versions without warm-up records once on zeros, if possible.",
  ),
  Flag(
    "max_second_session_mib",
    "int32",
    256,
    "A model with files up to this size is loaded a second time, with one thread within operations, once "
    "many requests come while every CPU has one; those get a CPU each then. 0: never. Not with any of "
    "the flags of TensorFlow's threads, one CPU or more than 16, a GPU, or for a model that keeps state.",
  ),
  Flag("drain_seconds", "float", 10.0, "How long SIGTERM waits for requests under way."),
)
FLAGS = {flag.name: flag for flag in _EFFECTIVE + _WITHOUT_EFFECT + _OWN}


@dataclasses.dataclass(frozen=True)
class Parsed:
  """A parsed command line.

  Attributes:
    values: all flags' values, as attributes.
    unknown: arguments that are no flag of this server.
    ineffective: names of flags given that have no effect here.
    hints: what may have been meant by unknown arguments.
  """

  values: types.SimpleNamespace
  unknown: list[str]
  ineffective: list[str]
  hints: list[str]


def parse(arguments: Sequence[str]) -> Parsed:
  """Parses a command line, without the program's name.

  Raises:
    errors.StatusError: INVALID_ARGUMENT for a value that a flag cannot have.
  """
  values = {flag.name: flag.default for flag in FLAGS.values()}
  unknown, ineffective = [], []
  for argument in arguments:
    name, has_value, text = argument.removeprefix("--").partition("=")
    flag = FLAGS.get(name) if argument.startswith("--") else None
    if flag is None or (not has_value and flag.kind != "bool"):
      unknown.append(argument)
      continue
    try:
      values[name] = flag.parse(text) if has_value else True
    except ValueError as error:
      raise errors.StatusError("INVALID_ARGUMENT", f"Flag --{name}: {error}") from error
    if not flag.help and values[name] != flag.default:
      ineffective.append(name)
  return Parsed(types.SimpleNamespace(**values), unknown, ineffective, _hints(unknown))


def _hints(unknown: Sequence[str]) -> list[str]:
  hints = []
  for argument in unknown:
    name = argument.lstrip("-").partition("=")[0]
    if argument.startswith("-") and name in FLAGS:
      hints.append(f"{argument} was ignored; write --{name}=VALUE, without a space")
    elif argument.startswith("--") and (near := difflib.get_close_matches(name, FLAGS, 1)):
      hints.append(f"{argument} was ignored; did you mean --{near[0]}?")
  return hints


def usage(program: str) -> str:
  """The text that lists all flags."""
  lines = [f"usage: {program}", "Flags:"]
  for flag in FLAGS.values():
    text = flag.help or "Accepted; has no effect in this server."
    shown = str(flag.default).lower() if flag.kind == "bool" else repr(flag.default)
    lines.append(f"\t--{flag.name}={shown}\t{flag.kind}\t{text}")
  return "\n".join(lines)
