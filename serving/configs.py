"""Configuration files in protocol buffer text form: models to serve, TLS, TensorFlow session."""

import dataclasses
import os
from collections.abc import Collection, Mapping

from tensorflow.core.protobuf import config_pb2
from tensorflow_serving.config import (
  file_system_storage_path_source_pb2,
  model_server_config_pb2,
)

from serving import errors, missing_protos, text_protos, version_source

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


def read_models(path: str, *, may_be_empty: bool = False) -> list[ModelConfig]:
  """Reads a file with a ModelServerConfig in text form.

  Args:
    path: the file.
    may_be_empty: a file without any configuration is one without models.

  Raises:
    errors.StatusError: INVALID_ARGUMENT in TensorFlow Serving's words, NOT_FOUND for no file.
  """
  config = model_server_config_pb2.ModelServerConfig()
  text_protos.read(path, config)
  if may_be_empty and config.WhichOneof("config") is None:
    return []
  if config.WhichOneof("config") != "model_config_list":
    raise errors.StatusError(
      "INVALID_ARGUMENT", f"Invalid ModelServerConfig: {path} has no model_config_list"
    )
  return models(config.model_config_list)


def models(
  listed: model_server_config_pb2.ModelConfigList, present: Collection[str] = ()
) -> list[ModelConfig]:
  """Checks a list of models.

  Args:
    listed: the list.
    present: names of models that are served already.

  Raises:
    errors.StatusError: INVALID_ARGUMENT in TensorFlow Serving's words.
  """
  names = set()
  for entry in listed.config:
    if entry.name in names:
      raise _invalid(f"Illegal to list model {entry.name} multiple times in config list")
    names.add(entry.name)
  made = [
    ModelConfig(
      entry.name,
      absolute_path(entry.name, entry.base_path),
      _policy(entry.model_version_policy),
      dict(entry.version_labels),
    )
    for entry in listed.config
  ]
  for entry in sorted(listed.config, key=lambda entry: entry.name not in present):
    _check_platform(entry, entry.name in present)
  return made


def absolute_path(model: str, base_path: str) -> str:
  """A model's base path as a path of this machine.

  Raises:
    errors.StatusError: INVALID_ARGUMENT for a relative path or another scheme than file.
  """
  path = base_path.removeprefix("file://")
  scheme, separator, _ = path.partition("://")
  if separator:
    raise _invalid(
      f"Model {model} has base_path()={base_path}: this server reads local folders only, not "
      f"{scheme}://; mount or copy the models to a folder"
    )
  if not os.path.isabs(path):
    raise _invalid(
      f"Expected model {model} to have an absolute path or URI; got base_path()={base_path}"
    )
  return path


def _check_platform(entry: model_server_config_pb2.ModelConfig, is_present: bool) -> None:
  if entry.model_type and entry.model_platform:
    raise _invalid(
      "Illegal setting both ModelServerConfig::model_type (deprecated) and "
      f"ModelServerConfig::model_platform, model name is {entry.name}"
    )
  if entry.model_type not in (0, _DEPRECATED_TENSORFLOW):
    raise _invalid(
      f"ModelServerConfig::model_type choice {entry.model_type} not supported, "
      f"model name is {entry.name}"
    )
  platform = _PLATFORM if entry.model_type else entry.model_platform
  if not platform:
    raise _invalid(
      "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
      f"ModelServerConfig::model_platform, model name is {entry.name}"
    )
  if platform != _PLATFORM and is_present:
    raise _invalid(
      f"Illegal to change a model's platform. For model {entry.name} platform was {_PLATFORM} and "
      f"new platform requested is {platform}"
    )
  if platform != _PLATFORM:
    raise _invalid(f"Model {entry.name} requests unsupported platform {platform}")


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
    custom_ca: certificates that clients' certificates are checked against, PEM; None where clients
      need not show any.
    client_verify: whether clients must show a certificate.
  """

  key: bytes
  certificate: bytes
  custom_ca: bytes | None
  client_verify: bool


def read_tls(path: str) -> Tls:
  """Reads an SSLConfig; its fields hold PEM text, not paths.

  Raises:
    errors.StatusError: INVALID_ARGUMENT if it does not parse or lacks key, certificate, or the
      custom_ca that client_verify needs.
  """
  config = missing_protos.SSLConfig()
  text_protos.read(path, config)
  if not config.server_key or not config.server_cert:
    raise errors.StatusError(
      "INVALID_ARGUMENT", f"SSLConfig file {path} must set both server_key and server_cert"
    )
  if config.client_verify and not config.custom_ca:
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      f"SSLConfig file {path} sets client_verify, so it must set custom_ca: the PEM text of the "
      "certificates that clients' certificates are checked against",
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
  text_protos.read(path, config)
  return config


def _invalid(text: str) -> errors.StatusError:
  return errors.StatusError("INVALID_ARGUMENT", text)
