"""Asks a server of `exports.HalfPlus` for the answer to x = 2, which tells the export's offset."""

import grpc
import numpy as np
from tensorflow_serving.apis import predict_pb2

from tests.serving import exports


def request(model: str = "default", version: int | None = None, label: str | None = None):
  """A PredictRequest of x = 2 to a model, or to one version of it."""
  made = exports.request(model=model, x=np.float32([[2]]))
  if version is not None:
    made.model_spec.version.value = version
  if label is not None:
    made.model_spec.version_label = label
  return made


def answer(response: predict_pb2.PredictResponse) -> tuple[float, int]:
  """The value of an answer (1 + offset), and the version that gave it."""
  return response.outputs["y"].float_val[0], response.model_spec.version.value


def ask(server, **model) -> tuple[float, int]:
  """`answer` of a server to `request`."""
  return answer(server.predict(request(**model)))


class FailureCases:
  """Mixin for test cases."""

  def assert_fails(self, code: grpc.StatusCode, message: str, call, *arguments, **named):
    """The call ends with this code, and with a message that begins so."""
    with self.assertRaises(grpc.RpcError) as caught:
      call(*arguments, **named)
    self.assertEqual(caught.exception.code(), code)
    self.assertStartsWith(caught.exception.details(), message)
