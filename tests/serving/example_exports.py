"""A tiny SavedModel for Classify, Regress and MultiInference, and requests to it."""

import tensorflow as tf
from tensorflow_serving.apis import (
  classification_pb2,
  inference_pb2,
  input_pb2,
  regression_pb2,
)

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"

_SERIALIZED = [tf.TensorSpec([None], tf.string, "inputs")]


class Examples(tf.Module):
  """Signatures over serialized Examples with the float features x and, if it is there, bias."""

  def __init__(self):
    super().__init__()
    self._half = tf.Variable(0.5)

  def _value(self, inputs):
    """x / 2 + bias [n]."""
    features = tf.io.parse_example(
      inputs,
      {
        "x": tf.io.FixedLenFeature([], tf.float32),
        "bias": tf.io.FixedLenFeature([], tf.float32, 0.0),
      },
    )
    return features["x"] * self._half + features["bias"]

  def signatures(self):
    """Name to function: good ones, and ones that are wrong in one respect each."""
    value = self._value
    both = lambda v: tf.stack([v, -v], axis=1)
    labels = lambda v: tf.tile(tf.constant([["up", "down"]]), [tf.shape(v)[0], 1])
    outputs = {
      "serving_default": lambda v: {"outputs": v},
      "classify": lambda v: {"classes": labels(v), "scores": both(v)},
      "scores_only": lambda v: {"scores": both(v)},
      "classes_only": lambda v: {"classes": labels(v)},
      "column": lambda v: {"outputs": v[:, None]},
      "flat_scores": lambda v: {"scores": v},
      "double_scores": lambda v: {"scores": tf.cast(both(v), tf.float64)},
      "too_many_scores": lambda v: {"scores": tf.tile(both(v), [2, 1])},
      "uneven": lambda v: {"classes": labels(v), "scores": v[:, None]},
      "other_outputs": lambda v: {"y": v},
      "three_outputs": lambda v: {"classes": labels(v), "scores": both(v), "y": v},
      "wide": lambda v: {"outputs": both(v)},
      "too_many": lambda v: {"outputs": tf.tile(v, [2])},
      "double": lambda v: {"outputs": tf.cast(v, tf.float64)},
    }

    def made(function):
      return tf.function(lambda inputs: function(value(inputs)), input_signature=_SERIALIZED)

    functions = {name: made(function) for name, function in outputs.items()}
    functions["other_input"] = tf.function(
      lambda examples: {"outputs": value(examples)},
      input_signature=[tf.TensorSpec([None], tf.string, "examples")],
    )
    functions["two_inputs"] = tf.function(
      lambda inputs, more: {"outputs": value(inputs) + more},
      input_signature=[*_SERIALIZED, tf.TensorSpec([], tf.float32, "more")],
    )
    return functions


def export(path: str) -> None:
  """Writes the model; its signatures' method_name says predict, as in every TF2 export."""
  model = Examples()
  model.functions = model.signatures()
  tf.saved_model.save(model, path, model.functions)


def examples(*values: float, bias: float | None = None) -> input_pb2.Input:
  """An Input with an Example for every value of x; a bias goes into the context."""
  made = input_pb2.Input()
  held = made.example_list if bias is None else made.example_list_with_context
  held.SetInParent()
  for value in values:
    held.examples.add().features.feature["x"].float_list.value.append(value)
  if bias is not None:
    held.context.features.feature["bias"].float_list.value.append(bias)
  return made


def classification(signature: str, given: input_pb2.Input, model: str = "default"):
  """A ClassificationRequest."""
  made = classification_pb2.ClassificationRequest(input=given)
  made.model_spec.name = model
  made.model_spec.signature_name = signature
  return made


def regression(signature: str, given: input_pb2.Input, model: str = "default"):
  """A RegressionRequest."""
  made = regression_pb2.RegressionRequest(input=given)
  made.model_spec.name = model
  made.model_spec.signature_name = signature
  return made


def multi(given: input_pb2.Input, *tasks: tuple[str, str], models: tuple[str, ...] = ()):
  """A MultiInferenceRequest with tasks (signature, method)."""
  made = inference_pb2.MultiInferenceRequest(input=given)
  for position, (signature, method) in enumerate(tasks):
    task = made.tasks.add(method_name=method)
    task.model_spec.name = models[position] if models else "default"
    task.model_spec.signature_name = signature
  return made
