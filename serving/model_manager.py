"""All models of a server, and how a request's ModelSpec finds one."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from tensorflow_serving.apis import model_pb2

from serving import configs, errors, servable, served_model, version_status

_log = logging.getLogger("serving")

_LOOK_SECONDS = 0.02
_MOST_WITHDRAWN = 1000  # models that were removed and whose status is still told


class ModelManager:
  """The configured models by name; every method may be called from any thread."""

  def __init__(
    self,
    make: Callable[[str], served_model.ServedModel],
    first: Iterable[configs.ModelConfig],
    allow_labels_for_unavailable: bool = False,
  ):
    """Starts nothing yet.

    Args:
      make: makes a model of that name, without a configuration.
      first: what to serve.
      allow_labels_for_unavailable: labels point to versions that are not there, too.
    """
    self._make = make
    self._first = list(first)
    self._allow_labels_for_unavailable = allow_labels_for_unavailable
    self._lock = threading.Lock()  # guards changes of the next one
    self._models: dict[str, served_model.ServedModel] = {}

  def start(self) -> None:
    """Begins to load."""
    self.apply(self._first)

  def apply(self, wanted: Sequence[configs.ModelConfig]) -> dict[str, served_model.ServedModel]:
    """Serves these models and no others, from now on; returns them by name.

    What serves already and is wanted still goes on until its successor is available.
    """
    with self._lock:
      models = dict(self._models)
      for config in wanted:
        if config.name not in models:
          models[config.name] = self._make(config.name)
        models[config.name].configure(config)
      names = {config.name for config in wanted}
      withdrawn = [name for name in models if name not in names]
      for name in withdrawn:
        if models[name].config is not None:
          _log.info("%s: not configured any more", name)
        models[name].withdraw()
      for name in withdrawn[: max(len(withdrawn) - _MOST_WITHDRAWN, 0)]:
        del models[name]
      self._models = models
      return {name: models[name] for name in names}

  def configured(self) -> dict[str, served_model.ServedModel]:
    """The models that are to be served, by name."""
    return {name: model for name, model in self._models.items() if model.config is not None}

  def is_configured(self, name: str) -> bool:
    """Whether a model of that name is to be served."""
    model = self._models.get(name)
    return model is not None and model.config is not None

  def is_ready(self) -> bool:
    """Whether every model that is to be served has an available version."""
    return all(model.available for model in self.configured().values())

  def is_serving(self) -> bool:
    """Whether there is something to answer with: an available version, or nothing is to be served."""
    models = self.configured().values()
    return not models or any(model.available for model in models)

  def wait_until_servable(self, stopping: threading.Event) -> bool:
    """Waits until all models were tried and one of them serves; False if told to stop before.

    Models without a version on disk are waited for only while nothing else can be served.

    Raises:
      errors.StatusError: TensorFlow Serving's for servables that failed to load, if all did for good.
    """
    outcome = served_model.Outcome
    while True:
      outcomes = {model.outcome for model in self.configured().values()}
      if outcome.UNKNOWN not in outcomes and (not outcomes or outcome.SERVING in outcomes):
        return True
      if outcomes == {outcome.FAILED}:
        raise unavailable(list(self.configured().values()), "servable(s)")
      if stopping.wait(_LOOK_SECONDS):
        return False

  def stop(self, timeout: float) -> bool:
    """Stops following base paths; returns whether no load is under way any more."""
    end = time.monotonic() + timeout
    models = list(self._models.values())
    return all([model.stop(max(end - time.monotonic(), 0.0)) for model in models])

  def use(
    self, spec: model_pb2.ModelSpec | None
  ) -> contextlib.AbstractContextManager[servable.Servable]:
    """Finds the version that a request asks for and holds it for a `with` block.

    Raises:
      errors.StatusError: TensorFlow Serving's codes and texts (model_servers/server_core.cc).
    """
    version = self._version(spec)
    model = self._models.get(spec.name)
    found = model.available.acquire(version) if model else None
    if found is None:
      which = f"Latest({spec.name})" if version is None else f"Specific({spec.name}, {version})"
      raise errors.StatusError("NOT_FOUND", f"Servable not found for request: {which}")
    return found.released_after()

  def statuses(self, spec: model_pb2.ModelSpec | None) -> list[version_status.VersionStatus]:
    """The versions of a model, or the one asked for; a version label narrows nothing.

    Raises:
      errors.StatusError: TensorFlow Serving's (model_servers/get_model_status_impl.cc).
    """
    if spec is None:
      raise errors.StatusError("INVALID_ARGUMENT", "Missing ModelSpec")
    model = self._models.get(spec.name)
    statuses = model.statuses() if model else []
    if spec.HasField("version"):
      version = spec.version.value
      statuses = [status for status in statuses if status.version == version]
      if not statuses:
        raise errors.StatusError(
          "NOT_FOUND", f"Could not find version {version} of model {spec.name}"
        )
    if not statuses:
      raise errors.StatusError("NOT_FOUND", f"Could not find any versions of model {spec.name}")
    return statuses

  def all_statuses(self) -> dict[str, list[version_status.VersionStatus]]:
    """Name of every model that is to be served to its versions, the highest first."""
    return {name: model.statuses() for name, model in sorted(self.configured().items())}

  def _version(self, spec: model_pb2.ModelSpec | None) -> int | None:
    """The version number that a spec names, itself or by a label; None if it leaves it open."""
    if spec is None:
      raise errors.StatusError("INVALID_ARGUMENT", "Missing ModelSpec")
    if not spec.name:
      raise errors.StatusError("INVALID_ARGUMENT", "ModelSpec has no name specified.")
    if spec.HasField("version"):
      return spec.version.value
    if spec.WhichOneof("version_choice") != "version_label":
      return None
    return self._labelled_version(spec.name, spec.version_label)

  def _labelled_version(self, name: str, label: str) -> int:
    model = self._models.get(name)
    config = model.config if model else None
    if config is None or label not in config.labels:
      raise errors.StatusError("INVALID_ARGUMENT", f"Unrecognized servable version label: {label}")
    version = model.available.labelled(label)
    if version is None and self._allow_labels_for_unavailable:
      version = config.labels[label]
    if version is None:
      raise errors.StatusError("UNAVAILABLE", f"Model labels does not init yet.{label}")
    return version


def unavailable(models: Sequence[served_model.ServedModel], noun: str) -> errors.StatusError:
  """TensorFlow Serving's error for models that failed to load."""
  failed = [
    f"{{{{name: {model.name} version: {version}}} due to error: {error}}}, "
    for model in models
    for version, error in model.failures().items()
  ]
  return errors.StatusError(
    "UNKNOWN", f"{len(failed)} {noun} did not become available: {{{''.join(failed)}}}"
  )
