"""Versions come and go under a server's base path."""

# bazel: size=medium

import os
import shutil
import tempfile
import threading

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2

from tests.serving import asking, exports, server_process

_NOT_FOUND = grpc.StatusCode.NOT_FOUND


class VersionsTest(asking.FailureCases, tf.test.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.copies = exports.Copies(cls.enterClassContext(tempfile.TemporaryDirectory()))

  def setUp(self):
    super().setUp()
    self.base_path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "model")
    os.makedirs(self.base_path)

  def _publish(self, version, offset=2, change=None):
    return self.copies.publish(os.path.join(self.base_path, str(version)), offset, change)

  def _start(self, *arguments):
    server = server_process.Server(
      f"--model_base_path={self.base_path}", "--wait_for_models=false", *arguments
    )
    return self.enterContext(server).wait_until_ready()

  def _error(self, server, version):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "default"
    request.model_spec.version.value = version
    (status,) = server.status(request).model_version_status
    return _code_name(status.status.error_code), status.status.error_message

  def _assert_not_served(self, server, version=None):
    self.assert_fails(_NOT_FOUND, "Servable not found", asking.ask, server, version=version)

  def test_port_is_open_before_the_first_version(self):
    os.rmdir(self.base_path)
    server = self._start()
    self._assert_not_served(server)
    self.assertIn("does not exist", server.log)
    os.makedirs(self.base_path)
    self._publish(7)
    server.wait_for_state(7, server_process.AVAILABLE)
    self.assertEqual(asking.ask(server), (3.0, 7))

  def test_swaps_under_load_lose_no_request(self):
    self._publish(1)
    server = self._start()
    server.wait_for_state(1, server_process.AVAILABLE)
    stopping, answers, failures = threading.Event(), [], []

    def work():
      while not stopping.is_set():
        try:
          answers.append(asking.ask(server))
        except grpc.RpcError as error:
          failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
      worker.start()
    for version in range(2, 6):
      self._publish(version, 2 + version % 2)
      server.wait_for_state(version, server_process.AVAILABLE)
      server.wait_for_state(version - 1, server_process.END)
    stopping.set()
    for worker in workers:
      worker.join()
    self.assertEmpty(failures)
    self.assertContainsSubset(set(answers), {(3.0, 1), (3.0, 2), (4.0, 3), (3.0, 4), (4.0, 5)})
    self.assertEqual(asking.ask(server), (4.0, 5))

  def test_highest_number_is_served_and_other_names_are_ignored(self):
    for name in ("5", "00000012", "40.tmp", "tmp-41", "x", "4e2"):
      self._publish(name)
    server = self._start()
    server.wait_for_state(12, server_process.AVAILABLE)
    self.assertEqual(asking.ask(server), (3.0, 12))
    self.assertEqual(server.states(), {12: server_process.AVAILABLE})
    self._assert_not_served(server, 5)

  def test_version_without_its_variables_is_not_served_until_they_are_there(self):
    kept = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "variables")

    def take_away(path):
      shutil.move(os.path.join(path, "variables"), kept)

    self._publish(1)
    server = self._start()
    server.wait_for_state(1, server_process.AVAILABLE)
    path = self._publish(2, 3, take_away)
    server.wait_for_state(2, server_process.END)
    self.assertEqual(asking.ask(server), (3.0, 1))
    code, message = self._error(server, 2)
    self.assertEqual(code, "FAILED_PRECONDITION")
    self.assertIn("variables lacks the folder", message)
    shutil.move(kept, os.path.join(path, "variables"))
    server.wait_for_state(1, server_process.END)
    self.assertEqual(asking.ask(server), (4.0, 2))

  def test_broken_versions_are_reported_while_the_good_one_serves(self):
    def cut(name):
      def change(path):
        file = os.path.join(path, name)
        os.truncate(file, os.path.getsize(file) // 2)

      return change

    self._publish(1)
    server = self._start("--max_num_load_retries=0")
    server.wait_for_state(1, server_process.AVAILABLE)
    os.makedirs(os.path.join(self.base_path, "2"))
    self._publish(3, change=cut("saved_model.pb"))
    self._publish(4, change=cut("variables/variables.data-00000-of-00001"))
    with open(os.path.join(self.base_path, "5"), "w"):
      pass
    for version in (2, 3, 4, 5):
      server.wait_for_state(version, server_process.END)
    self.assertEqual(asking.ask(server), (3.0, 1))
    for version in (2, 5):
      code, message = self._error(server, version)
      self.assertEqual(code, "NOT_FOUND")
      self.assertStartsWith(
        message, "Specified file path does not appear to contain a SavedModel bundle"
      )
    for version in (3, 4):
      self.assertNotEqual(self._error(server, version)[0], "OK")
    self._publish(6, 3)
    server.wait_for_state(6, server_process.AVAILABLE)
    self.assertEqual(asking.ask(server), (4.0, 6))

  def test_restart_falls_back_to_the_newest_version_that_loads(self):
    self._publish(1)
    os.makedirs(os.path.join(self.base_path, "2"))
    server = self._start()
    server.wait_for_state(1, server_process.AVAILABLE)
    self.assertEqual(asking.ask(server), (3.0, 1))

  def test_warmup_records_run_before_a_version_serves(self):
    good = exports.request(x=np.float32([[1]]))
    bad = exports.request("nope", x=np.float32([[1]]))
    self._publish(1, change=lambda path: exports.write_warmup(path, good))
    server = self._start("--max_num_load_retries=0")
    server.wait_for_state(1, server_process.AVAILABLE)
    self._publish(2, change=lambda path: exports.write_warmup(path, good, bad))
    server.wait_for_state(2, server_process.END)
    self.assertEqual(
      self._error(server, 2), ("FAILED_PRECONDITION", 'Serving signature key "nope" not found.')
    )

    def spoil(path):
      exports.write_warmup(path, good)
      with open(os.path.join(path, exports.WARMUP_FILE), "r+b") as file:
        file.seek(20)
        file.write(b"?")

    self._publish(3, change=spoil)
    server.wait_for_state(3, server_process.END)
    code, message = self._error(server, 3)
    self.assertEqual(code, "DATA_LOSS")
    self.assertEndsWith(message, "Please verify your warmup data is in TFRecord format.")
    self.assertEqual(asking.ask(server), (3.0, 1))

  def test_warmup_can_be_switched_off(self):
    bad = exports.request("nope", x=np.float32([[1]]))
    self._publish(1, change=lambda path: exports.write_warmup(path, bad))
    server = self._start("--enable_model_warmup=false")
    server.wait_for_state(1, server_process.AVAILABLE)
    self.assertEqual(asking.ask(server), (3.0, 1))

  def test_empty_base_path_unloads_and_missing_one_does_not(self):
    path = self._publish(1)
    server = self._start()
    server.wait_for_state(1, server_process.AVAILABLE)
    os.rename(self.base_path, self.base_path + ".away")
    server_process.wait_for(lambda: "does not exist" in server.log, "a warning")
    self.assertEqual(asking.ask(server), (3.0, 1))
    os.rename(self.base_path + ".away", self.base_path)
    shutil.rmtree(path)
    server.wait_for_state(1, server_process.END)
    self._assert_not_served(server)
    self._publish(1, 3)
    server.wait_for_state(1, server_process.AVAILABLE)
    self.assertEqual(asking.ask(server), (4.0, 1))

  def test_config_file_with_models_policies_and_labels(self):
    for version in (1, 2, 3):
      self._publish(version, 2 + version % 2)
    config = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "models")
    policies = {
      "latest": "",
      "two": "latest { num_versions: 2 }",
      "all": "all {}",
      "one": "specific { versions: 2 }",
    }
    entries = [
      f"config {{ name: '{name}' base_path: '{self.base_path}' model_platform: 'tensorflow' "
      f"model_version_policy {{ {policy} }} version_labels {{ key: 'stable' value: 2 }} }}"
      for name, policy in policies.items()
    ]
    with open(config, "w") as file:
      file.write(f"model_config_list {{ {' '.join(entries)} }}")
    server = server_process.Server(f"--model_config_file={config}")
    self.enterContext(server).wait_until_ready()
    for name, versions in {"latest": [3], "two": [2, 3], "all": [1, 2, 3], "one": [2]}.items():
      for version in versions:
        server.wait_for_state(version, server_process.AVAILABLE, name)
      self.assertEqual(server.states(name), dict.fromkeys(versions, server_process.AVAILABLE))
    spec = server.predict(asking.request("all", label="stable")).model_spec
    self.assertEqual((spec.version.value, spec.version_label), (2, ""))


def _code_name(number):
  """Name of a canonical code."""
  return next(code.name for code in grpc.StatusCode if code.value[0] == number)


if __name__ == "__main__":
  tf.test.main()
