"""Starts trainers in milliseconds: a process that has imported TensorFlow forks off each of them.

`import tensorflow` costs about 3 s of CPU; a collective of four trainers on two cores would spend 6 s
on it. Forking is sound as long as the process has one thread and TensorFlow has run nothing: no
operation, hence no thread pool, no device, no lock held by a thread that the child does not have. The
fork server checks this after each import and refuses to start when it does not hold.

Children are forked twice, so that they become the launcher's own (it is their subreaper, see
prctl(2)): it waits for them like for any child, and the fork server's death changes nothing for them.
Linux only.
"""

import ctypes
import gc
import importlib
import linecache
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence

from tf_taskology.training import child

_PR_SET_CHILD_SUBREAPER = 36
_READY = b"ready\n"


class ForkServer:
  """The launcher's side: starts the fork server and asks it for processes."""

  def __init__(self, preload: Sequence[str], log_path: str, environment: Mapping[str, str]):
    """Starts importing; returns at once.

    Args:
      preload: modules that are imported before the first fork.
      log_path: file for the output of the fork server itself.
      environment: environment variables to set before the imports.
    """
    self._preload = preload
    self._log_path = log_path
    # One thread for OpenBLAS: its pool would otherwise exist before the fork.
    self._environment = {**environment, **python_path(), "OPENBLAS_NUM_THREADS": "1"}
    self._process = None
    self._was_ready = False
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    self._launch()

  def _launch(self):
    self._is_ready = False
    self._socket, theirs = socket.socketpair()
    self._reader = self._socket.makefile("rb")
    command = [sys.executable, "-m", "tf_taskology.training.forkserver", str(theirs.fileno())]
    with open(self._log_path, "a", encoding="utf-8") as log:
      self._process = subprocess.Popen(
        [*command, *self._preload],
        env={**os.environ, **self._environment},
        pass_fds=[theirs.fileno()],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
      )
    theirs.close()

  def ready(self) -> bool:
    """Whether `start` would answer at once. A fork server that died is started anew.

    Raises:
      ChildProcessError: if it died before it was ready for the first time.
    """
    if self._process.poll() is not None:
      if not self._was_ready:
        raise ChildProcessError(
          f"The fork server ended with exit code {self._process.returncode} while it imported"
          f" {', '.join(self._preload)}; see {self._log_path}."
          " Start with --start_method=subprocess to do without it."
        )
      self._close()
      self._launch()
    if not self._is_ready:
      self._socket.setblocking(False)
      try:
        self._is_ready = self._socket.recv(len(_READY)) == _READY
      except OSError:  # Nothing there yet, or it died: the next call finds out.
        return False
      finally:
        self._socket.setblocking(True)
      self._was_ready |= self._is_ready
    return self._is_ready

  def start(self, spec: child.Spec) -> "ForkedProcess":
    """Forks a process; only when `ready()`.

    Raises:
      ConnectionError: if the fork server died meanwhile; try again when it is ready.
    """
    try:
      self._socket.sendall(spec.to_json().encode() + b"\n")
      answer = self._reader.readline()
    except OSError as error:
      raise ConnectionError("The fork server died.") from error
    if not answer:
      raise ConnectionError("The fork server died.")
    return ForkedProcess(int(answer))

  def stop(self) -> None:
    """Ends the fork server; processes that it has started go on."""
    self._close()
    self._process.kill()
    self._process.wait()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

  def _close(self):
    self._reader.close()
    self._socket.close()


class ForkedProcess:
  """A process that the fork server started, with the parts of `subprocess.Popen` that we use."""

  def __init__(self, pid: int):
    self.pid = pid
    self.returncode = None

  def poll(self) -> int | None:
    """Exit code, negative for a signal; None while the process runs."""
    if self.returncode is None:
      pid, wait_status = os.waitpid(self.pid, os.WNOHANG)
      if pid:
        self.returncode = os.waitstatus_to_exitcode(wait_status)
    return self.returncode


def python_path() -> dict[str, str]:
  """The environment variable with which a child imports from where this process does."""
  return {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}


def serve(connection: socket.socket) -> child.Spec | None:
  """Forks a process for each line that arrives.

  Returns:
    In a child, what it has to run; in the fork server None, when the launcher is gone.
  """
  reader = connection.makefile("rb")
  connection.sendall(_READY)
  for line in reader:
    pid_reader, pid_writer = os.pipe()
    middle = os.fork()
    if middle == 0:
      grandchild = os.fork()
      if grandchild:
        os.write(pid_writer, str(grandchild).encode())
        os._exit(0)
      os.setsid()
      for descriptor in (pid_reader, pid_writer):
        os.close(descriptor)
      reader.close()
      connection.close()
      return child.Spec.from_json(line.decode())
    os.close(pid_writer)
    os.waitpid(middle, 0)  # From here on the grandchild belongs to the launcher.
    with os.fdopen(pid_reader) as file:
      connection.sendall(file.read().encode() + b"\n")
  return None


def preload(names) -> None:
  """Imports modules and makes sure that the process may still be forked.

  Raises:
    RuntimeError: if an import started a thread.
  """
  for name in names:
    importlib.import_module(name)
    num_threads = len(os.listdir("/proc/self/task"))
    if num_threads > 1:
      raise RuntimeError(
        f"Importing {name} started {num_threads - 1} threads: it runs TensorFlow operations or opens"
        " connections when imported. It must not, or --start_method=subprocess must be used."
      )
  _pin_sources()
  gc.collect()
  gc.freeze()  # Memory that the collector does not touch stays shared with the children.


def _pin_sources() -> None:
  # TensorFlow reads a function's source when it traces it. Whoever edits the project while a run goes
  # on must not have the new lines paired with the old code. No mtime: linecache keeps the entry.
  for name, module in list(sys.modules.items()):
    path = getattr(module, "__file__", None)
    if name.partition(".")[0] == "tf_taskology" and path:
      lines = linecache.getlines(path)
      linecache.cache[path] = (sum(map(len, lines)), None, lines, path)


def _reseed() -> None:
  # Python reseeds `random` after a fork, NumPy does not reseed its global generator.
  if "numpy" in sys.modules:
    sys.modules["numpy"].random.seed()


if __name__ == "__main__":
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  preload(sys.argv[2:])
  received = serve(socket.socket(fileno=int(sys.argv[1])))
  if received is not None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _reseed()
    child.run(received)
