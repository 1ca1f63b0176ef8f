"""Requests that give a server another list of models."""

from google.protobuf import text_format
from tensorflow_serving.apis import model_management_pb2


def entry(name: str, base_path: str, labels=None, policy: str = "", platform="tensorflow") -> str:
  """One `config {...}` of a ModelConfigList, in text form."""
  labels = "".join(
    f"version_labels {{ key: '{label}' value: {version} }} "
    for label, version in (labels or {}).items()
  )
  platform = f"model_platform: '{platform}' " if platform else ""
  return (
    f"config {{ name: '{name}' base_path: '{base_path}' {platform}"
    f"model_version_policy {{ {policy} }} {labels}}}"
  )


def request(*entries: str, metrics=()) -> model_management_pb2.ReloadConfigRequest:
  """A ReloadConfigRequest with these models."""
  made = text_format.Parse(
    f"config {{ model_config_list {{ {' '.join(entries)} }} }}",
    model_management_pb2.ReloadConfigRequest(),
  )
  made.metric_names.extend(metrics)
  return made
