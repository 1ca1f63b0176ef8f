"""HandleReloadConfigRequest and version labels over the wire; a companion of wire_test.

Codes and messages: tensorflow/serving 2.15.1, model_servers/model_service_impl.cc, server_core.cc.
"""

# bazel: size=medium

import os
import tempfile

import grpc
import tensorflow as tf
from absl.testing import parameterized
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2

from tests.serving import asking, exports, reload_requests, server_binary, server_process

_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_NOT_FOUND = grpc.StatusCode.NOT_FOUND
_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
_UNKNOWN = grpc.StatusCode.UNKNOWN

_ALL = "all {}"
_entry = reload_requests.entry

# name, entries ("BASE" stands for the served model's base path), code, message
_REFUSALS = (
  (
    "twice",
    [_entry("a", "BASE"), _entry("a", "BASE")],
    _INVALID,
    "Illegal to list model a multiple times in config list",
  ),
  (
    "relative_path",
    [_entry("a", "relative/path")],
    _INVALID,
    "Expected model a to have an absolute path or URI; got base_path()=relative/path",
  ),
  (
    "other_platform",
    [_entry("default", "BASE", platform="torch")],
    _INVALID,
    "Illegal to change a model's platform. For model default platform was tensorflow and new "
    "platform requested is torch",
  ),
  (
    "unknown_platform",
    [_entry("new", "BASE", platform="torch")],
    _INVALID,
    "Model new requests unsupported platform torch",
  ),
  (
    "no_platform",
    [_entry("default", "BASE", platform="")],
    _INVALID,
    "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
    "ModelServerConfig::model_platform",
  ),
  (
    "label_of_a_version_that_is_not_there",
    [_entry("default", "BASE", {"stable": 7}, _ALL)],
    _PRECONDITION,
    "Request to assign label to version 7 of model default, which is not currently available for "
    "inference",
  ),
)


class WireReloadTest(asking.FailureCases, parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.base_path = cls._publish("model", 1, 2)
    cls._publish("model", 2, 3)
    cls.other = cls._publish("other", 5, 3)
    cls.initial = _entry("default", cls.base_path, policy=_ALL)
    config = os.path.join(cls.folder, "config")
    with open(config, "w") as file:
      file.write(f"model_config_list {{ {cls.initial} }}")
    cls.server = cls.enterClassContext(
      server_process.Server(f"--model_config_file={config}", binary=server_binary.FLAG.value)
    ).wait_until_ready()

  @classmethod
  def _publish(cls, model, version, offset):
    base_path = os.path.join(cls.folder, model)
    os.makedirs(base_path, exist_ok=True)
    exports.export(os.path.join(base_path, str(version)), float(offset))
    return base_path

  def setUp(self):
    super().setUp()
    self._reload(self.initial)
    for version in (1, 2):
      self.server.wait_for_state(version, server_process.AVAILABLE)

  def _ask(self, model="default", version=None, label=None):
    """Value and version of an answer."""
    response = self.server.predict(asking.request(model, version, label))
    self.assertEqual(response.model_spec.version_label, "")
    return asking.answer(response)

  def _reload(self, *entries, **more):
    return self.server.reload(reload_requests.request(*entries, **more))

  def test_new_list_replaces_the_old_one(self):
    response = self._reload(_entry("other", self.other))
    self.assertTrue(response.HasField("status"))
    self.assertEqual(response.status.error_code, 0)
    self.assertEqual(self._ask("other"), (4.0, 5))
    for version in (1, 2):
      self.server.wait_for_state(version, server_process.END)
    self.assert_fails(_NOT_FOUND, "Servable not found for request: Latest(default)", self._ask)
    self._reload(_entry("default", self.base_path))
    self.assertEqual(self._ask(), (4.0, 2))

  def test_policy_is_changed(self):
    self._reload(_entry("default", self.base_path, policy="specific { versions: 1 }"))
    self.server.wait_for_state(2, server_process.END)
    self.assertEqual(self._ask(), (3.0, 1))

  def test_labels_point_to_versions(self):
    self.assert_fails(
      _INVALID, "Unrecognized servable version label: stable", self._ask, label="stable"
    )
    labels = {"stable": 1, "canary": 2}
    self._reload(_entry("default", self.base_path, labels, _ALL))
    self.assertEqual(self._ask(label="stable"), (3.0, 1))
    self.assertEqual(self._ask(label="canary"), (4.0, 2))
    self._reload(_entry("default", self.base_path, {"stable": 2}, _ALL))
    self.assertEqual(self._ask(label="stable"), (4.0, 2))
    self.assert_fails(
      _INVALID, "Unrecognized servable version label: canary", self._ask, label="canary"
    )

  def test_status_ignores_a_label(self):
    self._reload(_entry("default", self.base_path, {"stable": 1}, _ALL))
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "default"
    request.model_spec.version_label = "stable"
    versions = [status.version for status in self.server.status(request).model_version_status]
    self.assertEqual(versions, [2, 1])

  @parameterized.named_parameters(*_REFUSALS)
  def test_refusal_changes_nothing(self, entries, code, message):
    entries = [text.replace("BASE", self.base_path) for text in entries]
    self.assert_fails(code, message, self._reload, *entries)
    self.assertEqual(self._ask(version=1), (3.0, 1))
    self.assertEqual(self._ask(), (4.0, 2))

  def test_other_than_a_list_is_refused(self):
    self.assert_fails(
      _INVALID,
      "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is "
      "currently supported",
      self.server.reload,
      model_management_pb2.ReloadConfigRequest(),
    )

  def test_metrics_are_given_as_increases(self):
    self._ask()
    name = "/tensorflow/serving/request_count"
    response = self._reload(_entry("default", self.base_path, policy=_ALL), metrics=[name])
    (metric,) = response.metric
    self.assertEqual((metric.name, metric.int64_value_increase), (name, 0))


if __name__ == "__main__":
  tf.test.main()
