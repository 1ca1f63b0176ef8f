"""From flags to the parts of a server."""

import logging
import os
import tempfile
import types

from tensorflow.core.protobuf import config_pb2

from serving import (
  configs,
  errors,
  loading,
  model_manager,
  served_model,
  transport,
)

_log = logging.getLogger("serving")


def build_models(flags: types.SimpleNamespace) -> model_manager.ModelManager:
  """The configured models, not started.

  Raises:
    errors.StatusError: for flags or files that say nothing usable.
  """
  loader = loading.Loader(
    tags=flags.saved_model_tags.split(","),
    session_config=_session_config(flags).SerializeToString(),
    warmup_iterations=max(flags.num_request_iterations_for_warmup, 1)
    if flags.enable_model_warmup
    else 0,
  )
  following = served_model.Following(
    poll_seconds=flags.file_system_poll_wait_seconds,
    max_retries=flags.max_num_load_retries,
    longest_wait=flags.load_retry_interval_micros / 1e6,
  )
  return model_manager.ModelManager(
    served_model.ServedModel(config, loader.load, following) for config in _configs(flags)
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
  """Says where the server listens, in the log and in the port file."""
  if port is not None:
    _log.info("serving gRPC on %s:%d after %.2f s", where.bind_address, port, seconds)
  if where.socket_path:
    _log.info("serving gRPC on unix:%s after %.2f s", where.socket_path, seconds)
  if port_file and port is not None:
    _write_atomically(port_file, f"{port}\n")


def _configs(flags: types.SimpleNamespace) -> list[configs.ModelConfig]:
  if flags.model_config_file:
    return configs.read_models(flags.model_config_file)
  if not flags.model_base_path:
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      "Both server_options.model_base_path and server_options.model_config_file are empty!",
    )
  return [configs.ModelConfig(flags.model_name, flags.model_base_path)]


def _session_config(flags: types.SimpleNamespace) -> config_pb2.ConfigProto:
  if flags.tensorflow_session_config_file:
    return configs.read_session_config(flags.tensorflow_session_config_file)
  both = flags.tensorflow_session_parallelism
  intra, inter = flags.tensorflow_intra_op_parallelism, flags.tensorflow_inter_op_parallelism
  if both and (intra or inter):
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      "Either configure --tensorflow_session_parallelism or both of "
      "--tensorflow_intra_op_parallelism and --tensorflow_inter_op_parallelism",
    )
  config = config_pb2.ConfigProto(
    intra_op_parallelism_threads=both or intra, inter_op_parallelism_threads=both or inter
  )
  config.gpu_options.per_process_gpu_memory_fraction = flags.per_process_gpu_memory_fraction
  return config


def _write_atomically(path: str, text: str) -> None:
  folder = os.path.dirname(os.path.abspath(path))
  with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
    file.write(text)
  os.replace(file.name, path)
