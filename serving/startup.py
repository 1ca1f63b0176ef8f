"""From flags to the parts of a server."""

import logging
import os
import tempfile
import threading
import types
import typing

from tensorflow.core.protobuf import config_pb2

from serving import (
  batching_config,
  concurrent_model,
  configs,
  errors,
  health,
  inference,
  load_failures,
  load_slots,
  loading,
  metrics,
  model_manager,
  reloading,
  served_model,
  transport,
)

if typing.TYPE_CHECKING:
  from serving import rest_server

_log = logging.getLogger("serving")


def build_models(
  flags: types.SimpleNamespace, counted: metrics.Metrics
) -> model_manager.ModelManager:
  """The configured models, not started.

  Raises:
    errors.StatusError: for flags or files that say nothing usable.
  """
  session_config = _session_config(flags)
  loader = loading.Loader(
    tags=flags.saved_model_tags.split(","),
    session_config=session_config.SerializeToString(),
    warmup_iterations=max(flags.num_request_iterations_for_warmup, 1)
    if flags.enable_model_warmup
    else 0,
    warm_up_without_records=flags.warm_up_without_records,
    batching=batching_config.read_batching(
      enabled=flags.enable_batching,
      path=flags.batching_parameters_file,
      per_model=flags.enable_per_model_batching_parameters,
    ),
    concurrency=concurrent_model.prepare(flags.max_second_session_mib, session_config),
    metrics=counted,
  )
  load = loader.load
  if flags.prefer_tflite_model:
    from serving import tflite_model  # only servers with such models pay for it

    interpreters = flags.num_tflite_pools * flags.num_tflite_interpreters_per_pool
    load = tflite_model.preferring_tflite(load, max(interpreters, 1))
  following = load_failures.Following(
    poll_seconds=flags.file_system_poll_wait_seconds,
    max_retries=flags.max_num_load_retries,
    longest_wait=flags.load_retry_interval_micros / 1e6,
  )
  slots = load_slots.LoadSlots(flags.num_load_threads)
  return model_manager.ModelManager(
    lambda name: served_model.ServedModel(name, load, following, slots, counted),
    _configs(flags),
    flags.allow_version_labels_for_unavailable_models,
  )


def build_inference(
  flags: types.SimpleNamespace,
  models: model_manager.ModelManager,
  counted: metrics.Metrics,
  stopping: threading.Event,
) -> inference.Inference:
  """What answers requests."""
  reloader = reloading.Reloader(models, stopping, flags.allow_version_labels_for_unavailable_models)
  return inference.Inference(
    models,
    counted,
    reloader if flags.enable_reload_by_rpc else None,
    flags.enable_signature_method_name_check,
  )


def follow_config_file(
  flags: types.SimpleNamespace, models: model_manager.ModelManager, stopping: threading.Event
) -> None:
  """Begins to look at the configuration file again and again, if there is one and a flag says so."""
  seconds = flags.model_config_file_poll_wait_seconds
  if flags.model_config_file and seconds > 0:
    reloading.ConfigFile(flags.model_config_file, seconds, models, stopping).start()


def build_health(flags: types.SimpleNamespace, models: model_manager.ModelManager) -> health.Health:
  """The health service: healthy as long as there is something to answer with."""
  return health.Health(models.is_serving, max(flags.grpc_max_threads // 4, 0))


def build_rest(
  flags: types.SimpleNamespace, answering: inference.Inference
) -> "rest_server.RestServer | None":
  """The HTTP server, bound but not started; None if it is not wanted.

  Raises:
    errors.StatusError: UNAVAILABLE if the port cannot be had.
  """
  if flags.rest_api_port == 0:
    return None
  if flags.rest_api_port == flags.port != "auto":
    _log.error(
      "--rest_api_port=%d is --port too; HTTP is not served. Give it a port of its own",
      flags.rest_api_port,
    )
    return None
  from serving import monitoring, rest_server  # only servers with HTTP pay for them

  config = flags.monitoring_config_file
  return rest_server.build(
    answering,
    answering.metrics,
    rest_server.Options(
      bind_address=flags.bind_address,
      port=None if flags.rest_api_port == "auto" else flags.rest_api_port,
      num_threads=flags.rest_api_num_threads,
      timeout_ms=flags.rest_api_timeout_in_ms,
      cors=flags.rest_api_enable_cors_support,
      metrics_path=monitoring.read(config) if config else None,
      max_body_bytes=flags.rest_max_body_bytes,
    ),
  )


def listening(flags: types.SimpleNamespace) -> transport.Listening:
  """Where and how to listen.

  Raises:
    errors.StatusError: for flags or files that say nothing usable.
  """
  return transport.Listening(
    bind_address=flags.bind_address,
    port=None if flags.port == "auto" else flags.port,
    socket_path=flags.grpc_socket_path,
    tls=configs.read_tls(flags.ssl_config_file) if flags.ssl_config_file else None,
    max_threads=flags.grpc_max_threads,
    channel_arguments=transport.parse_channel_arguments(flags.grpc_channel_arguments),
  )


def announce(where: transport.Listening, port: int | None, port_file: str, seconds: float) -> None:
  """Says where the server listens for gRPC, in the log and in the port file."""
  if port is not None:
    address = transport.host_and_port(where.bind_address, port)
    _log.info("serving gRPC on %s after %.2f s", address, seconds)
  if where.socket_path:
    _log.info("serving gRPC on unix:%s after %.2f s", where.socket_path, seconds)
  if port_file and port is not None:
    _write_atomically(port_file, f"{port}\n")


def announce_rest(flags: types.SimpleNamespace, port: int, seconds: float) -> None:
  """Says where the server listens for HTTP, in the log and in the port file."""
  address = transport.host_and_port(flags.bind_address, port)
  _log.info("serving HTTP on %s after %.2f s", address, seconds)
  if flags.rest_port_file:
    _write_atomically(flags.rest_port_file, f"{port}\n")


def _configs(flags: types.SimpleNamespace) -> list[configs.ModelConfig]:
  if flags.model_config_file:
    # Whoever starts with an empty file adds models later, by request or by rewriting the file.
    return configs.read_models(flags.model_config_file, may_be_empty=True)
  if not flags.model_base_path:
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      "Both server_options.model_base_path and server_options.model_config_file are empty!",
    )
  path = configs.absolute_path(flags.model_name, flags.model_base_path)
  return [configs.ModelConfig(flags.model_name, path)]


def _session_config(flags: types.SimpleNamespace) -> config_pb2.ConfigProto:
  if flags.tensorflow_session_config_file:
    return configs.read_session_config(flags.tensorflow_session_config_file)
  both = flags.tensorflow_session_parallelism
  intra, inter = flags.tensorflow_intra_op_parallelism, flags.tensorflow_inter_op_parallelism
  if both > 0 and intra > 0 and inter > 0:
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      "Either configure server_options.tensorflow_session_parallelism or "
      "(server_options.tensorflow_intra_op_parallelism, "
      "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all.",
    )
  if intra <= 0 and inter <= 0:
    intra = inter = both
  config = config_pb2.ConfigProto(
    intra_op_parallelism_threads=intra, inter_op_parallelism_threads=inter
  )
  config.gpu_options.per_process_gpu_memory_fraction = flags.per_process_gpu_memory_fraction
  return config


def _write_atomically(path: str, text: str) -> None:
  folder = os.path.dirname(os.path.abspath(path))
  with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
    file.write(text)
  os.replace(file.name, path)
