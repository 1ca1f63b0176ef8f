"""What benchmarks of the model server share: the server, client processes, taking turns, the report."""

# bazel: deps=//serving:model_server

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import psutil

from tf_taskology.training import allocator

_THROUGHPUT_SECONDS = 3.0
_START_SECONDS = 2.0  # for client processes to be ready
_CALLS_A_TURN = 4  # the first of which is not counted: caches hold the other sides' data


@dataclasses.dataclass(frozen=True)
class Server:
  """A running model server: its gRPC address, its REST port on this machine, and its process."""

  address: str
  rest_port: int
  process: psutil.Process


@contextlib.contextmanager
def server(folder: str, base_path: str, *flags: str) -> Iterator[Server]:
  """A model server that serves the model "depth", for a `with` block.

  Args:
    folder: for its own files.
    base_path: of the model.
    *flags: what else it is started with.
  """
  files = [os.path.join(folder, name) for name in ("port", "rest_port")]
  command = [sys.executable, "-m", "serving.model_server", "--port=auto", "--rest_api_port=auto"]
  command += [f"--port_file={files[0]}", f"--rest_port_file={files[1]}"]
  command += ["--model_name=depth", f"--model_base_path={base_path}", *flags]
  process = subprocess.Popen(command, env=_environment())
  try:
    while not all(map(os.path.exists, files)):
      if process.poll() is not None:
        raise RuntimeError(f"The model server ended with status {process.returncode}.")
      time.sleep(0.02)
    port, rest_port = map(_number_in, files)
    yield Server(f"127.0.0.1:{port}", rest_port, psutil.Process(process.pid))
  finally:
    process.terminate()
    process.wait()


def _number_in(path: str) -> int:
  with open(path) as file:
    return int(file.read())


def _environment() -> dict[str, str]:
  return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def run_clients(module: str, arguments: list[str], clients: int) -> tuple[float, int]:
  """Runs client processes (`client_loop`) at once.

  Args:
    module: the clients' program, in this folder.
    arguments: its own, beside those of `client_loop`.
    clients: how many.

  Returns:
    (answers per second, requests in all).
  """
  command = [sys.executable, "-m", f"tools.benchmarks.{module}", *arguments]
  command += [f"--start_at={time.time() + _START_SECONDS}", f"--seconds={_THROUGHPUT_SECONDS}"]
  processes = [
    subprocess.Popen(command, env=_environment(), stdout=subprocess.PIPE, text=True)
    for _ in range(clients)
  ]
  results = [json.loads(process.communicate()[0]) for process in processes]
  rate = sum(result["calls"] / result["seconds"] for result in results)
  return rate, sum(result["calls"] + 1 for result in results)


def milliseconds_in_turns(
  sides: dict[str, Callable], seconds: float, most_turns: int
) -> dict[str, list[float]]:
  """Times the calls of each side; the sides take turns, of which the first is not counted.

  Args:
    sides: name -> what to call.
    seconds: no turn begins after that.
    most_turns: that are counted.
  """
  times = {name: [] for name in sides}
  end = time.monotonic() + seconds
  for turn in range(most_turns + 1):
    if turn > 1 and time.monotonic() > end:
      break
    for name, call in sides.items():
      for number in range(_CALLS_A_TURN):
        begin = time.perf_counter()
        call()
        if turn and number:
          times[name].append((time.perf_counter() - begin) * 1e3)
  return times


def print_report(measure: Callable[[str], dict]) -> None:
  """Measures, with a folder to work in; prints a table, and one line of JSON to standard output."""
  allocator.keep_freed_memory()  # as trainers do
  with tempfile.TemporaryDirectory() as folder:
    report = measure(folder)
  for name, value in report.items():
    print(f"{name:30} {value}", file=sys.stderr)
  print(json.dumps(report))
