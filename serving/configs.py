"""Configuration files in protocol buffer text form: models to serve, TLS, TensorFlow session."""

import dataclasses
import os
import sys
from collections.abc import Mapping

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory, text_format
from tensorflow.core.protobuf import config_pb2
from tensorflow_serving.config import (
  file_system_storage_path_source_pb2,
  model_server_config_pb2,
)

from serving import errors, version_source

_PLATFORM = "tensorflow"
_DEPRECATED_TENSORFLOW = 1  # ModelConfig.model_type TENSORFLOW


@dataclasses.dataclass(frozen=True)
class ModelConfig:
  """A model to serve.

  Attributes:
    name: what requests call it.
    base_path: absolute path of the folder that holds its versions.
    policy: which versions to serve.
    labels: label to version.
  """

  name: str
  base_path: str
  policy: version_source.VersionPolicy = dataclasses.field(
    default_factory=version_source.VersionPolicy
  )
  labels: Mapping[str, int] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    if not os.path.isabs(self.base_path):
      raise errors.StatusError(
        "INVALID_ARGUMENT",
        f"Expected model {self.name} to have an absolute path or URI; "
        f"got base_path()={self.base_path}",
      )


def read_models(path: str) -> list[ModelConfig]:
  """Reads a ModelServerConfig.

  Raises:
    errors.StatusError: INVALID_ARGUMENT in TensorFlow Serving's words, NOT_FOUND for no file.
  """
  config = model_server_config_pb2.ModelServerConfig()
  _read_text(path, config)
  if config.WhichOneof("config") != "model_config_list":
    raise errors.StatusError(
      "INVALID_ARGUMENT", f"Invalid ModelServerConfig: {path} has no model_config_list"
    )
  models = {}
  for entry in config.model_config_list.config:
    if entry.name in models:
      raise errors.StatusError(
        "INVALID_ARGUMENT", f"Illegal to list model {entry.name} multiple times in config list"
      )
    models[entry.name] = _model(entry)
  return list(models.values())


def _model(entry: model_server_config_pb2.ModelConfig) -> ModelConfig:
  if entry.model_platform:
    if entry.model_platform != _PLATFORM:
      raise errors.StatusError(
        "INVALID_ARGUMENT",
        f"Model {entry.name} requests unsupported platform {entry.model_platform}",
      )
  elif entry.model_type != _DEPRECATED_TENSORFLOW:
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
      f"ModelServerConfig::model_platform, model name is {entry.name}",
    )
  return ModelConfig(
    entry.name, entry.base_path, _policy(entry.model_version_policy), dict(entry.version_labels)
  )


def _policy(
  policy: file_system_storage_path_source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy,
) -> version_source.VersionPolicy:
  kind = policy.WhichOneof("policy_choice")
  if kind == "all":
    return version_source.VersionPolicy(num_latest=None)
  if kind == "specific":
    return version_source.VersionPolicy(
      num_latest=None, specific=frozenset(policy.specific.versions)
    )
  return version_source.VersionPolicy(num_latest=policy.latest.num_versions or 1)


@dataclasses.dataclass(frozen=True)
class Tls:
  """Keys of a server; the message tensorflow.serving.SSLConfig.

  Attributes:
    key: private key, PEM.
    certificate: PEM.
    custom_ca: certificates that clients' certificates are checked against, PEM; None for the
      system's.
    client_verify: whether clients must show a certificate.
  """

  key: bytes
  certificate: bytes
  custom_ca: bytes | None
  client_verify: bool


def read_tls(path: str) -> Tls:
  """Reads an SSLConfig; its fields hold PEM text, not paths.

  Raises:
    errors.StatusError: INVALID_ARGUMENT if it does not parse or lacks key or certificate.
  """
  config = _ssl_config_class()()
  _read_text(path, config)
  if not config.server_key or not config.server_cert:
    raise errors.StatusError(
      "INVALID_ARGUMENT", f"SSLConfig file {path} must set both server_key and server_cert"
    )
  return Tls(
    config.server_key.encode(),
    config.server_cert.encode(),
    config.custom_ca.encode() or None,
    config.client_verify,
  )


def read_session_config(path: str) -> config_pb2.ConfigProto:
  """Reads a TensorFlow session's ConfigProto.

  Raises:
    errors.StatusError: INVALID_ARGUMENT if it does not parse.
  """
  config = config_pb2.ConfigProto()
  _read_text(path, config)
  return config


def _ssl_config_class() -> type[message.Message]:
  """SSLConfig as tensorflow_serving/config/ssl_config.proto declares it; PyPI's package lacks it."""
  file = descriptor_pb2.FileDescriptorProto(
    name="tensorflow_serving/config/ssl_config.proto",
    package="tensorflow.serving",
    syntax="proto3",
  )
  declared = file.message_type.add(name="SSLConfig")
  field = descriptor_pb2.FieldDescriptorProto
  types = {
    "server_key": field.TYPE_STRING,
    "server_cert": field.TYPE_STRING,
    "custom_ca": field.TYPE_STRING,
    "client_verify": field.TYPE_BOOL,
  }
  for number, (name, kind) in enumerate(types.items(), start=1):
    declared.field.add(name=name, number=number, type=kind, label=field.LABEL_OPTIONAL)
  pool = descriptor_pool.DescriptorPool()
  pool.Add(file)
  return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.SSLConfig"))


def _read_text(path: str, into: message.Message) -> None:
  try:
    with open(path, encoding="utf-8") as file:
      text = file.read()
  except OSError as error:
    raise errors.StatusError("NOT_FOUND", f"{path}; {error.strerror}") from error
  try:
    text_format.Parse(text, into)
  except text_format.ParseError as error:
    # The line that TensorFlow Serving's own tests look for.
    kind = into.DESCRIPTOR.full_name
    print(f"Error parsing text-format {kind}: {error}", file=sys.stderr, flush=True)
    raise errors.StatusError("INVALID_ARGUMENT", f"Invalid protobuf file: '{path}'") from error
