"""Runs a model server as a process of its own and talks to it."""

# bazel: deps=//serving:model_server

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import grpc
import portpicker
import psutil
from tensorflow_serving.apis import (
  get_model_status_pb2,
  model_service_pb2_grpc,
  prediction_service_pb2_grpc,
)

WAIT_SECONDS = 120.0
CALL_SECONDS = 60.0

START, LOADING, AVAILABLE, UNLOADING, END = 10, 20, 30, 40, 50


def wait_for(condition: Callable[[], object], what: str):
  """The first true value of a condition.

  Raises:
    TimeoutError: naming `what`, if there is none for two minutes.
  """
  end = time.monotonic() + WAIT_SECONDS
  while not (value := condition()):
    if time.monotonic() > end:
      raise TimeoutError(f"waited {WAIT_SECONDS:g} s for {what}")
    time.sleep(0.02)
  return value


class Server:
  """A server process, with a log file and stubs; a context manager that ends it.

  Args:
    arguments: the command line after the program, without `--port`.
    binary: another server's program; None for the embedded one.
    address: where to talk to it; None for TCP on a port of its choice.
    credentials: of the channel; None for plain text.
  """

  def __init__(
    self,
    *arguments: str,
    binary: str | None = None,
    address: str | None = None,
    credentials: grpc.ChannelCredentials | None = None,
    channel_options: tuple = (),
  ):
    self._folder = tempfile.TemporaryDirectory()
    self._log_path = os.path.join(self._folder.name, "log")
    port = portpicker.pick_unused_port()
    program = [binary] if binary else [sys.executable, "-m", "serving.model_server"]
    listen = [f"--port={port}"] if address is None else []
    with open(self._log_path, "wb") as log:
      self.process = subprocess.Popen(
        [*program, *listen, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=log,
        stderr=log,
      )
    self.address = address or f"127.0.0.1:{port}"
    options = [("grpc.max_receive_message_length", -1), *channel_options]
    self.channel = (
      grpc.secure_channel(self.address, credentials, options)
      if credentials
      else grpc.insecure_channel(self.address, options)
    )
    self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
    self._model = model_service_pb2_grpc.ModelServiceStub(self.channel)

  def __enter__(self) -> "Server":
    return self

  def __exit__(self, *unused_exception):
    self.close()

  def close(self) -> None:
    """Ends the process, if it runs, and the connection."""
    self.channel.close()
    if self.process.poll() is None:
      self.process.kill()
    self.process.wait()
    self._folder.cleanup()

  @property
  def log(self) -> str:
    """What the process has printed."""
    with open(self._log_path, encoding="utf-8", errors="replace") as file:
      return file.read()

  def wait_until_ready(self) -> "Server":
    """Waits until the port is open.

    Raises:
      RuntimeError: if the process ends instead.
    """
    ready = grpc.channel_ready_future(self.channel)

    def is_ready() -> bool:
      if self.process.poll() is not None:
        raise RuntimeError(f"server ended with {self.process.returncode}: {self.log}")
      return ready.done()

    wait_for(is_ready, "the server's port")
    return self

  def wait_until_busy(self) -> None:
    """Waits until the process has computed for a while from now on."""
    process = psutil.Process(self.process.pid)
    begin = process.cpu_times().user
    wait_for(lambda: process.cpu_times().user - begin > 0.2, "the server to compute")

  def stop(self) -> int:
    """Sends SIGTERM and returns the exit status."""
    self.process.send_signal(signal.SIGTERM)
    return self.process.wait(WAIT_SECONDS)

  def predict(self, request, metadata=(), timeout=CALL_SECONDS):
    """PredictionService.Predict."""
    return self._prediction.Predict(request, timeout=timeout, metadata=metadata)

  def metadata(self, request):
    """PredictionService.GetModelMetadata."""
    return self._prediction.GetModelMetadata(request, timeout=CALL_SECONDS)

  def status(self, request):
    """ModelService.GetModelStatus."""
    return self._model.GetModelStatus(request, timeout=CALL_SECONDS)

  def classify(self, request):
    """PredictionService.Classify."""
    return self._prediction.Classify(request, timeout=CALL_SECONDS)

  def regress(self, request):
    """PredictionService.Regress."""
    return self._prediction.Regress(request, timeout=CALL_SECONDS)

  def multi_inference(self, request):
    """PredictionService.MultiInference."""
    return self._prediction.MultiInference(request, timeout=CALL_SECONDS)

  def reload(self, request, timeout=CALL_SECONDS):
    """ModelService.HandleReloadConfigRequest."""
    return self._model.HandleReloadConfigRequest(request, timeout=timeout)

  def states(self, model: str = "default") -> dict[int, int]:
    """Version to state; empty while the server knows none."""
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = model
    try:
      statuses = self.status(request).model_version_status
    except grpc.RpcError as error:
      if error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE):
        return {}
      raise
    return {status.version: status.state for status in statuses}

  def wait_for_state(self, version: int, state: int, model: str = "default") -> None:
    """Waits until a version is in a state."""
    wait_for(
      lambda: self.states(model).get(version) == state, f"state {state} of version {version}"
    )
