"""Takes new configurations while the server runs: by HandleReloadConfigRequest, or from a file."""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from tensorflow_serving.config import model_server_config_pb2

from serving import configs, errors, model_manager, served_model, version_source

_log = logging.getLogger("serving")

_LOOK_SECONDS = 0.02
_MOST_SECONDS = 300.0  # for a client without a deadline
_ANSWER_SECONDS = 0.1  # before a client's deadline, so that it gets to see the reason

_LOADED = (
  served_model.Outcome.SERVING,
  served_model.Outcome.RETRYING,
  served_model.Outcome.FAILED,
)


class Reloader:
  """Replaces the list of served models; one reload at a time.

  TensorFlow Serving's codes and texts (model_servers/model_service_impl.cc, server_core.cc). Unlike
  there, a configuration is refused as a whole or not at all as far as that can be known beforehand,
  and a label may point to a version that this very reload makes available.
  """

  def __init__(
    self,
    models: model_manager.ModelManager,
    stopping: threading.Event,
    allow_labels_for_unavailable: bool = False,
  ):
    """Args:
    models: what is served.
    stopping: set when the server stops.
    allow_labels_for_unavailable: new labels may point to versions that are not available.
    """
    self._models = models
    self._stopping = stopping
    self._allow_labels_for_unavailable = allow_labels_for_unavailable
    self._one_at_a_time = threading.Lock()

  def reload(
    self, config: model_server_config_pb2.ModelServerConfig, timeout_ms: int | None
  ) -> None:
    """Serves another list of models; returns once each new one has a version that is available.

    Args:
      config: the new configuration.
      timeout_ms: how long the client waits.

    Raises:
      errors.StatusError: INVALID_ARGUMENT or FAILED_PRECONDITION for a configuration that is refused,
        nothing has changed then; UNKNOWN if a new model cannot be loaded and DEADLINE_EXCEEDED if
        that takes too long, the new list holds then, and loading goes on.
    """
    if config.WhichOneof("config") != "model_config_list":
      raise errors.StatusError(
        "INVALID_ARGUMENT",
        "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is "
        "currently supported",
      )
    end = time.monotonic() + _seconds(timeout_ms)
    if not self._one_at_a_time.acquire(timeout=max(end - time.monotonic(), 0.0)):
      raise errors.StatusError("DEADLINE_EXCEEDED", "Another reload is under way")
    try:
      self._replace(config.model_config_list, end)
    finally:
      self._one_at_a_time.release()

  def _replace(self, listed: model_server_config_pb2.ModelConfigList, end: float) -> None:
    present = self._models.configured()
    wanted = configs.models(listed, present)
    awaited = [
      (config, version)
      for config in wanted
      for label, version in config.labels.items()
      if self._must_be_available(present, config, label, version)
    ]
    _log.info("configuration by request: %s", ", ".join(c.name for c in wanted) or "no model")
    models = self._models.apply(wanted)
    new = [models[config.name] for config in wanted if config.name not in present]
    self._wait(lambda: [model for model in new if model.outcome not in _LOADED], end)
    failed = [model for model in new if model.outcome != served_model.Outcome.SERVING]
    if failed:
      raise model_manager.unavailable(failed, "model(s)")
    self._wait(
      lambda: [models[c.name] for c, v in awaited if not _is_decided(models[c.name], v)], end
    )
    for config, version in awaited:
      if version not in models[config.name].available:
        raise _label_error(config.name, version)

  def _must_be_available(
    self,
    present: Mapping[str, served_model.ServedModel],
    config: configs.ModelConfig,
    label: str,
    version: int,
  ) -> bool:
    """Whether a label needs its version's load to be waited for.

    Raises:
      errors.StatusError: FAILED_PRECONDITION if that version cannot become available.
    """
    model = present.get(config.name)
    if model is not None and version in model.available:
      return False
    pointed = model.available.labelled(label) if model is not None else None
    if self._allow_labels_for_unavailable and pointed in (None, version):
      return False
    on_disk = version_source.scan(config.base_path) or {}
    if version not in config.policy.candidates(on_disk)[: config.policy.num_latest]:
      raise _label_error(config.name, version)
    return True

  def _wait(self, missing: Callable[[], list[served_model.ServedModel]], end: float) -> None:
    while models := missing():
      if self._stopping.wait(_LOOK_SECONDS):
        raise errors.StatusError("CANCELLED", "The server stops")
      if time.monotonic() > end:
        reasons = ", ".join(f"{model.name}: {model.outcome.value}" for model in models)
        raise errors.StatusError(
          "DEADLINE_EXCEEDED", f"Not available yet, loading goes on: {{{reasons}}}"
        )


class ConfigFile:
  """Re-reads a configuration file every so often; what cannot be read or used is only logged."""

  def __init__(
    self,
    path: str,
    seconds: float,
    models: model_manager.ModelManager,
    stopping: threading.Event,
  ):
    """Args:
    path: file with a ModelServerConfig in text form.
    seconds: between two looks.
    models: gets what the file says.
    stopping: set when the server stops.
    """
    self._path = path
    self._seconds = seconds
    self._models = models
    self._stopping = stopping
    self._last_error = ""

  def start(self) -> None:
    """Begins to look, the first time after the wait."""
    threading.Thread(target=self._follow, name="config-file", daemon=True).start()

  def _follow(self) -> None:
    while not self._stopping.wait(self._seconds):
      try:
        self._models.apply(configs.read_models(self._path))
        self._last_error = ""
      except errors.StatusError as error:
        if str(error) != self._last_error:
          _log.error("%s: the old configuration stays: %s", self._path, error)
        self._last_error = str(error)


def _seconds(timeout_ms: int | None) -> float:
  if timeout_ms is None:
    return _MOST_SECONDS
  return max(min(timeout_ms / 1000, _MOST_SECONDS) - _ANSWER_SECONDS, 0.0)


def _is_decided(model: served_model.ServedModel, version: int) -> bool:
  """Whether a version is available or was tried in vain."""
  return version in model.available or model.outcome != served_model.Outcome.UNKNOWN


def _label_error(model: str, version: int) -> errors.StatusError:
  return errors.StatusError(
    "FAILED_PRECONDITION",
    f"Request to assign label to version {version} of model {model}, which is not currently "
    "available for inference",
  )
