"""Configuration messages of TensorFlow Serving that its package on PyPI lacks, declared as it does."""

from collections.abc import Mapping

from google.protobuf import (
  descriptor_pb2,
  descriptor_pool,
  message,
  message_factory,
  wrappers_pb2,
)

_PACKAGE = "tensorflow.serving"
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"bool": _FIELD.TYPE_BOOL, "int64": _FIELD.TYPE_INT64, "string": _FIELD.TYPE_STRING}

# Message -> fields in the order of their numbers, from 1. Wrapped numbers tell "not set" from 0.
_MESSAGES = {
  # tensorflow_serving/config/ssl_config.proto
  "SSLConfig": {
    "server_key": "string",
    "server_cert": "string",
    "custom_ca": "string",
    "client_verify": "bool",
  },
  # tensorflow_serving/config/monitoring_config.proto
  "PrometheusConfig": {"enable": "bool", "path": "string"},
  "MonitoringConfig": {"prometheus_config": "tensorflow.serving.PrometheusConfig"},
  # tensorflow_serving/servables/tensorflow/session_bundle_config.proto
  "BatchingParameters": {
    "max_batch_size": "google.protobuf.Int64Value",
    "batch_timeout_micros": "google.protobuf.Int64Value",
    "max_enqueued_batches": "google.protobuf.Int64Value",
    "num_batch_threads": "google.protobuf.Int64Value",
    "thread_pool_name": "google.protobuf.StringValue",
    "allowed_batch_sizes": "repeated int64",
    "pad_variable_length_inputs": "bool",
    "enable_large_batch_splitting": "google.protobuf.BoolValue",
    "max_execution_batch_size": "google.protobuf.Int64Value",
  },
}


def _declare(declared: descriptor_pb2.DescriptorProto, fields: Mapping[str, str]) -> None:
  """Adds the fields to a message's declaration."""
  for number, (name, written) in enumerate(fields.items(), start=1):
    kind = written.removeprefix("repeated ")
    field = declared.field.add(
      name=name,
      number=number,
      label=_FIELD.LABEL_OPTIONAL if kind == written else _FIELD.LABEL_REPEATED,
      type=_SCALARS.get(kind, _FIELD.TYPE_MESSAGE),
    )
    if kind not in _SCALARS:
      field.type_name = f".{kind}"


def _pool() -> descriptor_pool.DescriptorPool:
  """A pool of our own, which gets on with packages that bring the messages along."""
  file = descriptor_pb2.FileDescriptorProto(
    name="serving/missing_protos.proto",
    package=_PACKAGE,
    syntax="proto3",
    dependency=[wrappers_pb2.DESCRIPTOR.name],
  )
  for name, fields in _MESSAGES.items():
    _declare(file.message_type.add(name=name), fields)
  pool = descriptor_pool.DescriptorPool()
  pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
  pool.Add(file)
  return pool


_POOL = _pool()


def _made(name: str) -> type[message.Message]:
  return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


SSLConfig = _made("SSLConfig")
MonitoringConfig = _made("MonitoringConfig")
BatchingParameters = _made("BatchingParameters")
