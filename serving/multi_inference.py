"""MultiInference: several classifications and regressions of the same Examples, in one run.

The order of the checks, the codes and the texts are TensorFlow Serving's
(servables/tensorflow/multi_inference.cc).
"""

from tensorflow_serving.apis import inference_pb2, model_pb2

from serving import classification, errors, example_input, predict, saved_model

_METHODS = {
  method.method_name: method for method in (classification.CLASSIFY, classification.REGRESS)
}


def model_spec(request: inference_pb2.MultiInferenceRequest) -> model_pb2.ModelSpec:
  """The model and version that answers: the first task's."""
  return request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()


def run(
  model: saved_model.SavedModel,
  version: int,
  request: inference_pb2.MultiInferenceRequest,
  timeout_ms: int | None,
  check_method_name: bool,
) -> inference_pb2.MultiInferenceResponse:
  """Answers a request.

  Raises:
    errors.StatusError: TensorFlow Serving's codes and texts.
  """
  inputs, outputs, by_task = {}, {}, {}
  for task in request.tasks:
    name = _checked_signature(model, request, task, by_task)
    endpoint, fetched = _METHODS[task.method_name].resolve(model, name, check_method_name)
    inputs[endpoint.name] = endpoint
    outputs.update({output.name: output for output in fetched.values()})
    by_task[name] = fetched
  names = sorted(outputs)
  tensors = example_input.run(
    model, request.input, list(inputs.values()), [outputs[name] for name in names], timeout_ms
  )
  tensor_of = dict(zip(names, tensors, strict=True))
  num_examples = example_input.count(request.input)
  response = inference_pb2.MultiInferenceResponse()
  for task, (name, fetched) in zip(request.tasks, by_task.items(), strict=True):
    method = _METHODS[task.method_name]
    made = response.results.add(
      model_spec=classification.model_spec(task.model_spec.name, name, version)
    )
    result = getattr(made, method.result_field)
    result.SetInParent()
    method.fill(
      {alias: tensor_of[output.name] for alias, output in fetched.items()}, num_examples, result
    )
  return response


def _checked_signature(
  model: saved_model.SavedModel,
  request: inference_pb2.MultiInferenceRequest,
  task: inference_pb2.InferenceTask,
  seen: dict,
) -> str:
  """Name of a task's signature."""
  if not task.model_spec.name:
    raise errors.StatusError("INVALID_ARGUMENT", "Found ModelSpec with an empty model name.")
  if task.model_spec.name != request.tasks[0].model_spec.name:
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    )
  name = task.model_spec.signature_name or predict.DEFAULT_SIGNATURE
  if name in seen:
    raise errors.StatusError("INVALID_ARGUMENT", f"Duplicate evaluation of signature: {name}")
  if model.signature(name) is None:
    raise errors.StatusError(
      "INVALID_ARGUMENT", f"Requested signature not found in model graph: {name}"
    )
  if task.method_name not in _METHODS:
    raise errors.StatusError(
      "UNIMPLEMENTED", f"Unsupported signature method_name: {task.method_name}"
    )
  return name
