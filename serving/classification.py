"""Classify and Regress: what a signature must look like, and what its outputs become.

The order of the checks, the codes and the texts are TensorFlow Serving's
(servables/tensorflow/classifier.cc, regressor.cc).
"""

import dataclasses
from collections.abc import Callable, Mapping

from google.protobuf import message
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
  classification_pb2,
  model_pb2,
  regression_pb2,
)

from serving import errors, example_input, predict, saved_model

_INPUTS = "inputs"
_CLASSES = "classes"
_SCORES = "scores"
_OUTPUTS = "outputs"

_Result = classification_pb2.ClassificationResult | regression_pb2.RegressionResult


@dataclasses.dataclass(frozen=True)
class Method:
  """One of the two methods.

  Attributes:
    api: its name in TensorFlow Serving's metrics.
    noun: its name in messages.
    method_name: what a signature's method_name is, if it is checked.
    request: its request message.
    response: its response message.
    result_field: of inference_pb2.InferenceResult.
    endpoints: of a signature of which only the method's name was checked: input and outputs by alias.
    fill: writes the outputs, by alias, of a number of examples into a result.
  """

  api: str
  noun: str
  method_name: str
  request: type[message.Message]
  response: type[message.Message]
  result_field: str
  endpoints: Callable[
    [saved_model.Signature, message.Message],
    tuple[saved_model.Endpoint, dict[str, saved_model.Endpoint]],
  ]
  fill: Callable[[Mapping[str, tensor_pb2.TensorProto], int, _Result], None]

  def respond(
    self,
    model: saved_model.SavedModel,
    version: int,
    request: message.Message,
    timeout_ms: int | None,
    check_method_name: bool,
  ) -> message.Message:
    """Answers a request.

    Raises:
      errors.StatusError: TensorFlow Serving's codes and texts.
    """
    name = request.model_spec.signature_name or predict.DEFAULT_SIGNATURE
    if model.signature(name) is None:
      raise _invalid(f"No signature was found with the name: {name}")
    endpoint, outputs = self.resolve(model, name, check_method_name)
    tensors = example_input.run(
      model, request.input, [endpoint], list(outputs.values()), timeout_ms
    )
    response = self.response(
      model_spec=model_spec(request.model_spec.name, name, version),
    )
    self.fill(
      dict(zip(outputs, tensors, strict=True)),
      example_input.count(request.input),
      response.result,
    )
    response.result.SetInParent()
    return response

  def resolve(
    self, model: saved_model.SavedModel, name: str, check_method_name: bool
  ) -> tuple[saved_model.Endpoint, dict[str, saved_model.Endpoint]]:
    """Input, and outputs by alias, of a signature.

    Raises:
      errors.StatusError: INVALID_ARGUMENT if it is no signature for this method.
    """
    signature = model.signature(name)
    if check_method_name and signature.method_name != self.method_name:
      raise _invalid(
        f"Expected {self.noun} signature method_name to be {self.method_name}. "
        f"Was: {signature.method_name}"
      )
    return self.endpoints(signature, model.signature_defs[name])


def model_spec(model: str, signature: str, version: int) -> model_pb2.ModelSpec:
  """What a response says of who answered."""
  spec = model_pb2.ModelSpec(name=model, signature_name=signature)
  spec.version.value = version
  return spec


def _classification_endpoints(signature: saved_model.Signature, declared: message.Message):
  if len(signature.inputs) != 1:
    raise _invalid("Expected one input Tensor.")
  if len(signature.outputs) not in (1, 2):
    raise _invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
  if _INPUTS not in signature.inputs:
    raise _invalid(f"No classification inputs found in SignatureDef: {declared}")
  outputs = {
    alias: signature.outputs[alias] for alias in (_CLASSES, _SCORES) if alias in signature.outputs
  }
  if not outputs:
    raise _invalid(
      f'Expected classification signature outputs to contain at least one of "{_CLASSES}" or '
      f'"{_SCORES}". Signature was: {declared}'
    )
  return signature.inputs[_INPUTS], outputs


def _regression_endpoints(signature: saved_model.Signature, declared: message.Message):
  if len(signature.inputs) != 1:
    raise _invalid("Expected one input Tensor.")
  if len(signature.outputs) != 1:
    raise _invalid("Expected one output Tensor.")
  for alias, endpoints in ((_INPUTS, signature.inputs), (_OUTPUTS, signature.outputs)):
    if alias not in endpoints:
      raise _invalid(f"No regression {alias} found in SignatureDef: {declared}")
  return signature.inputs[_INPUTS], {_OUTPUTS: signature.outputs[_OUTPUTS]}


def _fill_classifications(
  outputs: Mapping[str, tensor_pb2.TensorProto], num_examples: int, result: _Result
) -> None:
  kinds = {_CLASSES: types_pb2.DT_STRING, _SCORES: types_pb2.DT_FLOAT}
  for alias, tensor in outputs.items():
    shape = _shape(tensor)
    if len(shape) != 2:
      raise _invalid(f"Expected Tensor shape: [batch_size num_classes] but got {_shown(shape)}")
    if tensor.dtype != kinds[alias]:
      raise _invalid(
        f"Expected {alias} Tensor of {types_pb2.DataType.Name(kinds[alias])}. "
        f"Got: {types_pb2.DataType.Name(tensor.dtype)}"
      )
    if shape[0] != num_examples:
      raise _invalid(f"Expected {alias} output batch size of {num_examples}. Got: {shape[0]}")
  widths = [_shape(tensor)[1] for tensor in outputs.values()]
  if len(set(widths)) > 1:
    raise _invalid(
      f"Tensors class and score should match in dim_size(1). Got {widths[0]} vs. {widths[1]}"
    )
  width = widths[0]
  for example in range(num_examples):
    classes = result.classifications.add().classes
    for column in range(example * width, (example + 1) * width):
      made = classes.add()
      if _CLASSES in outputs:
        made.label = outputs[_CLASSES].string_val[column].decode(errors="replace")
      if _SCORES in outputs:
        made.score = outputs[_SCORES].float_val[column]


def _fill_regressions(
  outputs: Mapping[str, tensor_pb2.TensorProto], num_examples: int, result: _Result
) -> None:
  tensor = outputs[_OUTPUTS]
  shape = _shape(tensor)
  if len(shape) != 1 and not (len(shape) == 2 and shape[1] == 1):
    raise _invalid(
      "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
      f"{_shown(shape)}"
    )
  if shape[0] != num_examples:
    raise _invalid(
      f"Input batch size did not match output batch size: {num_examples} vs. {shape[0]}"
    )
  if tensor.dtype != types_pb2.DT_FLOAT:
    raise _invalid(
      f"Expected output Tensor of DT_FLOAT.  Got: {types_pb2.DataType.Name(tensor.dtype)}"
    )
  for value in tensor.float_val:
    result.regressions.add(value=value)


def _shape(tensor: tensor_pb2.TensorProto) -> list[int]:
  return [dim.size for dim in tensor.tensor_shape.dim]


def _shown(shape: list[int]) -> str:
  return f"[{','.join(map(str, shape))}]"


def _invalid(text: str) -> errors.StatusError:
  return errors.StatusError("INVALID_ARGUMENT", text)


CLASSIFY = Method(
  api="Classify",
  noun="classification",
  method_name="tensorflow/serving/classify",
  request=classification_pb2.ClassificationRequest,
  response=classification_pb2.ClassificationResponse,
  result_field="classification_result",
  endpoints=_classification_endpoints,
  fill=_fill_classifications,
)
REGRESS = Method(
  api="Regress",
  noun="regression",
  method_name="tensorflow/serving/regress",
  request=regression_pb2.RegressionRequest,
  response=regression_pb2.RegressionResponse,
  result_field="regression_result",
  endpoints=_regression_endpoints,
  fill=_fill_regressions,
)
