"""All models of a server, and how a request's ModelSpec finds one."""

import contextlib
import threading
import time
from collections.abc import Iterable

from tensorflow_serving.apis import model_pb2

from serving import errors, servable, served_model


class ModelManager:
  """The configured models by name."""

  def __init__(self, models: Iterable[served_model.ServedModel]):
    self._models = {model.config.name: model for model in models}

  def start(self) -> None:
    """Begins to load."""
    for model in self._models.values():
      model.start()

  def wait_until_settled(self, stopping: threading.Event) -> bool:
    """Waits until every model serves or has failed for good; False if told to stop before."""
    for model in self._models.values():
      while not model.settled.wait(0.05):
        if stopping.is_set():
          return False
    return True

  def check_any_available(self) -> None:
    """Makes sure that there is something to serve.

    Raises:
      errors.StatusError: TensorFlow Serving's for servables that failed to load, if all did.
    """
    failed = []
    for name, model in self._models.items():
      if any(status.state == served_model.AVAILABLE for status in model.statuses()):
        return
      failed += [
        f"{{{{name: {name} version: {version}}} due to error: {error}}}, "
        for version, error in model.failures().items()
      ]
    raise errors.StatusError(
      "UNKNOWN", f"{len(failed)} servable(s) did not become available: {{{''.join(failed)}}}"
    )

  def stop(self, timeout: float) -> bool:
    """Stops following base paths; returns whether no load is under way any more."""
    end = time.monotonic() + timeout
    stopped = [model.stop(max(end - time.monotonic(), 0.0)) for model in self._models.values()]
    return all(stopped)

  def use(
    self, spec: model_pb2.ModelSpec | None
  ) -> contextlib.AbstractContextManager[servable.Servable]:
    """Finds the version that a request asks for and holds it for a `with` block.

    Raises:
      errors.StatusError: TensorFlow Serving's codes and texts (model_servers/server_core.cc).
    """
    version = self._version(spec)
    model = self._models.get(spec.name)
    found = model.acquire(version) if model else None
    if found is None:
      which = f"Latest({spec.name})" if version is None else f"Specific({spec.name}, {version})"
      raise errors.StatusError("NOT_FOUND", f"Servable not found for request: {which}")
    return found.released_after()

  def statuses(self, spec: model_pb2.ModelSpec | None) -> list[served_model.VersionStatus]:
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

  def _version(self, spec: model_pb2.ModelSpec | None) -> int | None:
    """The version number that a spec names, itself or by a label; None if it leaves it open."""
    if spec is None:
      raise errors.StatusError("INVALID_ARGUMENT", "Missing ModelSpec")
    if not spec.name:
      raise errors.StatusError("INVALID_ARGUMENT", "ModelSpec has no name specified.")
    if spec.HasField("version"):
      return spec.version.value
    if spec.version_label:
      model = self._models.get(spec.name)
      labels = model.config.labels if model else {}
      if spec.version_label not in labels:
        raise errors.StatusError(
          "INVALID_ARGUMENT", f"Unrecognized servable version label: {spec.version_label}"
        )
      return labels[spec.version_label]
    return None
