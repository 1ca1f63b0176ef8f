"""Reloading where this server is kinder than TensorFlow Serving, and the configuration file's poll."""

# bazel: size=medium

import os
import tempfile
import threading

import grpc
import tensorflow as tf

from tests.serving import asking, exports, reload_requests, server_process

_entry = reload_requests.entry


class ReloadTest(asking.FailureCases, tf.test.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.copies = exports.Copies(cls.enterClassContext(tempfile.TemporaryDirectory()))

  def setUp(self):
    super().setUp()
    self.folder = self.enterContext(tempfile.TemporaryDirectory())
    self.config = os.path.join(self.folder, "config")

  def _publish(self, model, version, offset=2):
    base_path = os.path.join(self.folder, model)
    os.makedirs(base_path, exist_ok=True)
    self.copies.publish(os.path.join(base_path, str(version)), offset)
    return base_path

  def _write_config(self, *entries):
    with open(self.config + ".new", "w") as file:
      file.write(f"model_config_list {{ {' '.join(entries)} }}")
    os.rename(self.config + ".new", self.config)

  def _start(self, *arguments):
    server = server_process.Server(f"--model_config_file={self.config}", *arguments)
    return self.enterContext(server).wait_until_ready()

  def _ask(self, server, model="a", label=None):
    return asking.ask(server, model=model, label=label)

  def _reload(self, server, *entries, timeout=server_process.CALL_SECONDS):
    return server.reload(reload_requests.request(*entries), timeout)

  def test_one_broken_model_is_named_and_hinders_no_other(self):
    good = self._publish("good", 1)
    os.makedirs(os.path.join(self.folder, "bad", "3"))
    bad = os.path.join(self.folder, "bad")
    missing = os.path.join(self.folder, "missing")
    self._write_config(_entry("a", good), _entry("b", bad), _entry("c", missing))
    server = self._start()
    self.assertEqual(self._ask(server), (3.0, 1))
    server.wait_for_state(3, server_process.END, "b")
    self.assertIn("missing does not exist", server.log)
    self._publish("missing", 7, 3)
    server.wait_for_state(7, server_process.AVAILABLE, "c")
    self.assertEqual(self._ask(server, "c"), (4.0, 7))
    self.assert_fails(
      grpc.StatusCode.UNKNOWN,
      "1 model(s) did not become available: {{{name: d version: 3} due to error: NOT_FOUND: ",
      self._reload,
      server,
      _entry("a", good),
      _entry("d", bad),
    )
    self.assertEqual(self._ask(server), (3.0, 1))

  def test_empty_config_file_is_a_server_without_models(self):
    with open(self.config, "w"):
      pass
    server = self._start("--model_config_file_poll_wait_seconds=1")
    self._reload(server, _entry("a", self._publish("a", 1)))
    self.assertEqual(self._ask(server), (3.0, 1))
    # Later on, an empty file is one that is just being written.
    server_process.wait_for(
      lambda: "the old configuration stays" in server.log, "a look at the file"
    )
    self.assertEqual(self._ask(server), (3.0, 1))

  def test_reload_ends_before_the_clients_deadline_and_says_why(self):
    good = self._publish("good", 1)
    self._write_config(_entry("a", good))
    server = self._start()
    self.assert_fails(
      grpc.StatusCode.DEADLINE_EXCEEDED,
      "Not available yet, loading goes on: {b: there is no version to serve}",
      self._reload,
      server,
      _entry("a", good),
      _entry("b", os.path.join(self.folder, "b")),
      timeout=2,
    )
    self._publish("b", 4)
    server.wait_for_state(4, server_process.AVAILABLE, "b")

  def test_label_may_point_to_what_the_reload_itself_loads(self):
    self._write_config(_entry("a", self._publish("a", 1)))
    server = self._start()
    other = self._publish("b", 5, 3)
    self._reload(server, _entry("b", other, {"stable": 5}))
    self.assertEqual(self._ask(server, "b", "stable"), (4.0, 5))

  def test_labels_of_the_start_wait_for_their_versions(self):
    base_path = self._publish("a", 1)
    self._write_config(_entry("a", base_path, {"next": 2}, "all {}"))
    server = self._start()
    unavailable = grpc.StatusCode.UNAVAILABLE
    self.assert_fails(
      unavailable, "Model labels does not init yet.next", self._ask, server, label="next"
    )
    self._publish("a", 2, 3)
    server.wait_for_state(2, server_process.AVAILABLE, "a")
    self.assertEqual(self._ask(server, label="next"), (4.0, 2))

  def test_labels_of_absent_versions_are_allowed_by_a_flag(self):
    base_path = self._publish("a", 1)
    self._write_config(_entry("a", base_path, {"next": 2}, "all {}"))
    server = self._start("--allow_version_labels_for_unavailable_models")
    self.assert_fails(
      grpc.StatusCode.NOT_FOUND,
      "Servable not found for request: Specific(a, 2)",
      self._ask,
      server,
      label="next",
    )
    labels = {"next": 2, "later": 3, "now": 1}
    self._reload(server, _entry("a", base_path, labels, "all {}"))
    self.assert_fails(
      grpc.StatusCode.FAILED_PRECONDITION,
      "Request to assign label to version 9 of model a, ",
      self._reload,
      server,
      _entry("a", base_path, {"now": 9}, "all {}"),
    )
    self.assertEqual(self._ask(server, label="now"), (3.0, 1))

  def test_reload_can_be_switched_off(self):
    base_path = self._publish("a", 1)
    self._write_config(_entry("a", base_path))
    server = self._start("--enable_reload_by_rpc=false")
    self.assert_fails(
      grpc.StatusCode.PERMISSION_DENIED,
      "HandleReloadConfigRequest is switched off",
      self._reload,
      server,
    )
    self.assertEqual(self._ask(server), (3.0, 1))

  def test_moving_a_model_loses_no_request(self):
    first, second = self._publish("first", 1, 2), self._publish("second", 1, 3)
    self._write_config(_entry("a", first))
    server = self._start()
    stopping, failures = threading.Event(), []

    def work():
      while not stopping.is_set():
        try:
          self._ask(server)
        except grpc.RpcError as error:
          failures.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    for base_path in (second, first, second):
      self._reload(server, _entry("a", base_path))
      expected = 4.0 if base_path == second else 3.0
      server_process.wait_for(lambda e=expected: self._ask(server)[0] == e, "the other folder")
    stopping.set()
    worker.join()
    self.assertEmpty(failures)
    self.assertEqual(server.states("a"), {1: server_process.AVAILABLE})

  def test_config_file_is_followed_and_mistakes_in_it_are_only_logged(self):
    base_path, other = self._publish("a", 1), self._publish("b", 2, 3)
    self._write_config(_entry("a", base_path))
    server = self._start("--model_config_file_poll_wait_seconds=1")
    self._write_config("nonsense")
    server_process.wait_for(lambda: "the old configuration stays" in server.log, "an error")
    self.assertEqual(self._ask(server), (3.0, 1))
    self._write_config(_entry("a", base_path, {"stable": 1}), _entry("b", other))
    server.wait_for_state(2, server_process.AVAILABLE, "b")
    self.assertEqual(self._ask(server, label="stable"), (3.0, 1))
    self._write_config(_entry("b", other))
    server.wait_for_state(1, server_process.END, "a")
    self.assertEqual(self._ask(server, "b"), (4.0, 2))


if __name__ == "__main__":
  tf.test.main()
