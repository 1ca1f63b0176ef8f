"""Which version each model server serves, asked over TensorFlow Serving's protocol.

The launcher asks; it must stay small, so the two messages of ModelService.GetModelStatus are described
here, field numbers as in tensorflow_serving/apis/get_model_status.proto and model.proto: their
generated modules import TensorFlow.
"""

import functools
import threading
from collections.abc import Callable, Mapping

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_METHOD = "/tensorflow.serving.ModelService/GetModelStatus"
_PACKAGE = "tf_taskology.model_status"
_AVAILABLE = 30
_DEADLINE_SECS = 2.0

_FIELD = descriptor_pb2.FieldDescriptorProto
# message: {field: (number, label, type, message type)}
_MESSAGES = {
  "ModelSpec": {"name": (1, _FIELD.LABEL_OPTIONAL, _FIELD.TYPE_STRING, None)},
  "Request": {"model_spec": (1, _FIELD.LABEL_OPTIONAL, _FIELD.TYPE_MESSAGE, "ModelSpec")},
  "VersionStatus": {
    "version": (1, _FIELD.LABEL_OPTIONAL, _FIELD.TYPE_INT64, None),
    "state": (2, _FIELD.LABEL_OPTIONAL, _FIELD.TYPE_INT32, None),
  },
  "Response": {"versions": (1, _FIELD.LABEL_REPEATED, _FIELD.TYPE_MESSAGE, "VersionStatus")},
}


class ServedVersions:
  """Asks model servers in a thread of its own, so that a server that hangs holds up nothing."""

  def __init__(self, addresses: Callable[[], Mapping[str, str]], interval_secs: float = 1.0):
    """
    Args:
      addresses: returns model name -> "host:port"; called before each round.
      interval_secs: seconds between rounds.
    """
    self._addresses = addresses
    self._interval_secs = interval_secs
    self._versions: dict[str, int] = {}
    self._stopping = threading.Event()
    self._thread = threading.Thread(target=self._run, daemon=True)

  def start(self) -> None:
    self._thread.start()

  def stop(self) -> None:
    self._stopping.set()
    if self._thread.is_alive():
      self._thread.join()

  def get(self, model: str) -> int | None:
    """Newest version that the model's server serves; None while it serves none or does not answer."""
    return self._versions.get(model)

  def _run(self):
    while not self._stopping.wait(self._interval_secs):
      self._versions = {
        name: version
        for name, address in self._addresses().items()
        if (version := newest_version(address, name)) is not None
      }


def newest_version(address: str, model: str) -> int | None:
  """The newest version of `model` that the server at `address` serves; None if it does not say."""
  messages = _messages()
  request = messages["Request"](model_spec=messages["ModelSpec"](name=model))
  with grpc.insecure_channel(address) as channel:
    call = channel.unary_unary(
      _METHOD,
      request_serializer=lambda message: message.SerializeToString(),
      response_deserializer=messages["Response"].FromString,
    )
    try:
      response = call(request, timeout=_DEADLINE_SECS)
    except grpc.RpcError:
      return None
  return max((one.version for one in response.versions if one.state == _AVAILABLE), default=None)


@functools.cache
def _messages():
  file = descriptor_pb2.FileDescriptorProto(
    name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3"
  )
  for message_name, fields in _MESSAGES.items():
    message = file.message_type.add(name=message_name)
    for name, (number, label, kind, message_type) in fields.items():
      field = message.field.add(name=name, number=number, label=label, type=kind)
      if message_type:
        field.type_name = f".{_PACKAGE}.{message_type}"
  pool = descriptor_pool.DescriptorPool()
  pool.Add(file)
  return {
    name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
    for name in _MESSAGES
  }
