"""TensorFlow and gRPC work in forked processes, and exit codes, output and deaths are as elsewhere."""

# bazel: deps=//tests/training/fakes:tensorflow_child //tf_taskology/training:config //tf_taskology/training:trainer

import json
import os
import signal
import sys
import time

import psutil
from absl.testing import absltest, parameterized

from tf_taskology.training import child, commands, forkserver

_LIMIT_SECS = 60.0


class ForkServerTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path
    self.log_path = os.path.join(self.folder, "child.log")
    self.server_log_path = os.path.join(self.folder, "forkserver.log")

  def start_server(self, *preload):
    server = forkserver.ForkServer(preload, self.server_log_path, commands.environment())
    self.addCleanup(server.stop)
    return server

  def wait_ready(self, server):
    deadline = time.monotonic() + _LIMIT_SECS
    while not server.ready():
      self.assertLess(time.monotonic(), deadline)
      time.sleep(0.01)

  def start(self, server, module, *arguments, name="child", **environment):
    self.wait_ready(server)
    log_path = os.path.join(self.folder, f"{name}.log")
    spec = child.Spec(
      name, log_path, module=module, arguments=arguments, environment=environment
    )  # fmt: skip
    process = server.start(spec)
    self.addCleanup(self.kill, process)
    return process

  def kill(self, process):
    if process.poll() is None:
      os.kill(process.pid, signal.SIGKILL)
      self.wait(process)

  def wait(self, process):
    deadline = time.monotonic() + _LIMIT_SECS
    while (code := process.poll()) is None:
      self.assertLess(time.monotonic(), deadline, "The child does not end.")
      time.sleep(0.01)
    return code

  def read_log(self, name="child"):
    with open(os.path.join(self.folder, f"{name}.log")) as file:
      return file.read()

  def write_module(self, name, text):
    with open(os.path.join(self.folder, f"{name}.py"), "w") as file:
      file.write(text)
    self.enter_context(absltest.mock.patch.object(sys, "path", [self.folder, *sys.path]))

  def test_tensorflow_and_grpc_work_in_several_children(self):
    server = self.start_server("tensorflow", "grpc")
    self.wait_ready(server)
    names = ("one", "two", "three")
    children = [
      self.start(server, "tests.training.fakes.tensorflow_child", str(i + 1), name=name)
      for i, name in enumerate(names)
    ]
    self.assertEqual([self.wait(process) for process in children], [0, 0, 0], self.read_log("one"))
    results = []
    for name in names:
      results.append(json.loads(self.read_log(name).partition("RESULT ")[2]))
    for i, result in enumerate(results):
      self.assertLess(result["loss"], 0.05)
      self.assertEqual(result["answer"], "there and back")
      self.assertEqual(result["num_threads"], i + 1)
      self.assertTrue(result["is_main_thread"])
      self.assertEndsWith(result["main"], "tensorflow_child.py")
    for kind in range(3):  # Python's, NumPy's and TensorFlow's generators differ between children.
      self.assertLen({result["random"][kind] for result in results}, 3)

  def test_default_preload_may_be_forked(self):
    preload = commands.Options(work_dir=self.folder).preload
    server = self.start_server(*preload)
    self.assertEqual(self.wait(self.start(server, "this")), 0)
    self.assertIn("tensorflow", preload)
    with open(self.server_log_path) as file:
      self.assertEqual(file.read(), "")  # No third-party noise.

  def test_import_that_starts_a_thread_is_refused_by_name(self):
    self.write_module("impolite", "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()")  # fmt: skip
    server = self.start_server("json", "impolite")
    with self.assertRaisesRegex(ChildProcessError, "imported json, impolite; see .*--start_method"):
      self.wait_ready(server)
    with open(self.server_log_path) as file:
      self.assertIn("Importing impolite started 1 threads", file.read())

  @parameterized.parameters(
    ("print('out')", 0, "out\n"),
    ("import sys; sys.exit(3)", 3, ""),
    ("import sys; sys.exit('sentence')", 1, "sentence\n"),
    ("import atexit; atexit.register(print, 'at exit')", 0, "at exit\n"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", -11, ""),
    ("import os; os.system('echo shell'); print(os.environ['MARK'])", 0, "shell\nmark\n"),
    ("import sys; print(sys.argv[1:], __name__, sys.stdin.read() == '')", 0,
     "['--a=1', 'b c'] __main__ True\n"),
  )  # fmt: skip
  def test_child_ends_and_prints_as_a_program_does(self, text, code, log):
    self.write_module("program", text)
    server = self.start_server("json")
    process = self.start(server, "program", "--a=1", "b c", MARK="mark")
    self.assertEqual(self.wait(process), code)
    self.assertEqual(self.read_log(), log)

  def test_exception_leaves_its_traceback_in_the_log(self):
    self.write_module("program", "raise KeyError('which')")
    process = self.start(self.start_server("json"), "program")
    self.assertEqual(self.wait(process), 1)
    self.assertIn("KeyError: 'which'", self.read_log())

  def test_child_leads_a_group_of_its_own_and_handles_signals_as_usual(self):
    self.write_module("program", "import time\nprint('up')\ntime.sleep(60)")
    process = self.start(self.start_server("json"), "program")
    while not os.path.exists(self.log_path) or not self.read_log():
      time.sleep(0.01)
    self.assertEqual(os.getpgid(process.pid), process.pid)
    self.assertEqual(psutil.Process(process.pid).ppid(), os.getpid())
    os.kill(process.pid, signal.SIGINT)
    self.assertEqual(self.wait(process), -signal.SIGINT)
    self.assertIn("KeyboardInterrupt", self.read_log())

  def test_child_reads_the_sources_that_were_imported(self):
    package = os.path.join(self.folder, "tf_taskology")
    os.mkdir(package)
    path = os.path.join(package, "edited.py")
    with open(path, "w") as file:
      file.write("def answer():\n  return 'old'\n")
    program = (
      "import inspect\nfrom tf_taskology import edited\nprint(inspect.getsource(edited.answer))"
    )
    self.write_module("program", program)
    server = self.start_server("tf_taskology.edited")
    self.wait_ready(server)
    with open(path, "w") as file:
      file.write("# A line above.\ndef answer():\n  return 'new'\n")
    self.assertEqual(self.wait(self.start(server, "program")), 0)
    self.assertEqual(self.read_log(), "def answer():\n  return 'old'\n\n")

  def test_killed_server_leaves_its_children_and_is_started_anew(self):
    self.write_module("program", "import sys, time\ntime.sleep(float(sys.argv[1]))")
    server = self.start_server("json")
    first = self.start(server, "program", "1.5")
    (server_process,) = (
      p for p in psutil.Process().children() if p.pid != first.pid and "json" in p.cmdline()
    )
    server_process.kill()
    time.sleep(0.1)
    self.assertFalse(server.ready())
    second = self.start(server, "program", "0", name="second")
    self.assertIsNone(first.poll())
    self.assertEqual((self.wait(second), self.wait(first)), (0, 0))


if __name__ == "__main__":
  absltest.main()
