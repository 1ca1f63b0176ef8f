"""The embedded model server: TensorFlow Serving's protocol, flags and behaviour in one Python process.

  python -m serving.model_server --port=8500 --model_name=depth --model_base_path=/abs/exports/depth

Importing this module does little but define `main`; the rest is imported after the environment is
set, because TensorFlow's and gRPC's libraries read it when they load.
"""

import logging
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Sequence

from serving import memory

_log = logging.getLogger("serving")

_START_FAILED = 255  # TensorFlow Serving's `return -1`
_LOAD_END_SECONDS = 2.0  # how long a stopping server waits for a load under way

# What TensorFlow's and gRPC's libraries would print about themselves.
_QUIET = {
  "TF_CPP_MIN_LOG_LEVEL": "3",
  "GRPC_VERBOSITY": "NONE",
  "GRPC_ENABLE_FORK_SUPPORT": "0",
}


def main(argv: Sequence[str]) -> int:
  """Serves until SIGTERM or SIGINT, and ends the process.

  Args:
    argv: the command line, program's name first.

  Returns:
    The process's exit status, where the command line asks for nothing to be served.
  """
  begin = time.monotonic()
  _set_up_log()
  for name, value in _QUIET.items():
    os.environ.setdefault(name, value)
  memory.prepare()  # before there are threads: each takes an arena of its own as long as it may
  stopping = threading.Event()
  _set_on_signals(stopping)
  from serving import errors, flags, lazy_tensorflow

  try:
    parsed = flags.parse(argv[1:])
  except errors.StatusError as error:
    print(f"{error.message}\n{flags.usage(argv[0])}", flush=True)
    return _START_FAILED
  lazy_tensorflow.install()
  if parsed.values.version:
    _print_version()
    return 0
  if parsed.unknown:
    print(f"unknown argument: {parsed.unknown[0]}\n{flags.usage(argv[0])}", flush=True)
  for hint in parsed.hints:
    _log.warning("%s", hint)
  for name in parsed.ineffective:
    _log.info("--%s has no effect in this server", name)
  try:
    _serve(parsed.values, stopping, begin)
    status = 0
  except errors.StatusError as error:
    print(f"Failed to start server. Error: {error}", flush=True)
    status = _START_FAILED
  # Not by way of the interpreter's end: that waits for threads, also for one that is inside TensorFlow.
  logging.shutdown()
  sys.stdout.flush()
  os._exit(status)


def _serve(flags: types.SimpleNamespace, stopping: threading.Event, begin: float) -> None:
  """Loads models, opens the ports, and returns after the signal to stop."""
  from serving import metrics, profiler, services, startup, transport

  counted = metrics.Metrics()
  models = startup.build_models(flags, counted)
  answering = startup.build_inference(flags, models, counted, stopping)
  grpc_services = services.Services(answering)
  listening = startup.listening(flags)
  health = startup.build_health(flags, models)
  is_drained = True
  models.start()
  try:
    if flags.wait_for_models and not models.wait_until_servable(stopping):
      return
    handlers = grpc_services.handlers()
    if flags.enable_grpc_healthcheck_service:
      handlers.append(health.handler())
    if flags.enable_profiler:
      handlers.append(profiler.Profiler(stopping).handler())
    server, port = transport.build(listening, handlers)
    if flags.enable_grpc_reflection:
      from serving import reflection

      reflection.add(server)
    rest = startup.build_rest(flags, answering)
    startup.follow_config_file(flags, models, stopping)
    server.start()
    startup.announce(listening, port, flags.port_file, time.monotonic() - begin)
    if rest is not None:
      rest.start()
      startup.announce_rest(flags, rest.port, time.monotonic() - begin)
    stopping.wait()
    is_drained = _drain(server, rest, health, grpc_services, flags.drain_seconds)
  finally:
    is_idle = models.stop(_LOAD_END_SECONDS) and is_drained
    _log.info("stopped" if is_idle else "stopped; a load or a request was cut off")


def _set_on_signals(event: threading.Event) -> None:
  """Sets an event on SIGTERM or SIGINT.

  Python runs a handler only in the main thread, when that next gets to the interpreter. A signal that
  another thread receives, or that comes just before the main thread blocks, would wake nobody. So
  its number is written to a pipe, at once and whoever receives it, and a thread reads that.
  """
  reading, writing = os.pipe()
  os.set_blocking(writing, False)
  signal.set_wakeup_fd(writing)
  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *unused: None)

  def wait():
    os.read(reading, 1)
    event.set()

  threading.Thread(target=wait, name="signals", daemon=True).start()


def _drain(server, rest, health, grpc_services, seconds: float) -> bool:
  """Takes no new requests and waits for those under way, over gRPC and HTTP at the same time.

  Returns:
    Whether all of them were answered.
  """
  _log.info("stopping: no new requests, waiting for those under way")
  drained_by = time.monotonic() + seconds
  health.stop()
  grpc_stopped = server.stop(seconds)
  is_drained = rest is None or rest.stop(seconds)
  grpc_stopped.wait()
  # A run whose client gave up goes on for a moment after gRPC has forgotten the request.
  return grpc_services.wait_until_idle(max(drained_by - time.monotonic(), 0.0)) and is_drained


def _print_version() -> None:
  from serving import tf_library

  library = tf_library.load().TF_Version().decode()
  print(f"TensorFlow ModelServer: {library}-embedded\nTensorFlow Library: {library}", flush=True)


def _set_up_log() -> None:
  handler = logging.StreamHandler(sys.stderr)
  handler.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(message)s", "%H:%M:%S"))
  _log.handlers = [handler]
  _log.setLevel(logging.INFO)
  _log.propagate = False


if __name__ == "__main__":
  sys.exit(main(sys.argv))
