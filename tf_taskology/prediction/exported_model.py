"""A model in an export folder, run in this process."""

import os

import numpy as np
import tensorflow as tf

from tf_taskology.peers import exporting, publishing
from tf_taskology.prediction import model


class ExportedModel(model.Model):
  """Runs a SavedModel.

  Args:
    path: a module's export folder, of which the newest version is taken, or one version's folder.

  Raises:
    model.ModelError: there is no SavedModel.
  """

  def __init__(self, path: str):
    self._path = _version_dir(path)
    self.title = f"The model in {self._path}"
    try:
      self._model = tf.saved_model.load(self._path)
    except (OSError, ValueError, tf.errors.OpError) as error:
      raise model.ModelError(f"{self._path} cannot be loaded as a SavedModel: {error}") from error
    name = os.path.basename(self._path)
    self._version = int(name) if name.isdigit() else 0
    self.signatures = {
      name: model.Signature(
        name,
        _tensors(function.structured_input_signature[1]),
        _tensors(function.structured_outputs),
      )
      for name, function in self._model.signatures.items()
    }

  def predict(self, signature, batch):
    tensors = {
      name: tf.constant(value, tf.as_dtype(signature.inputs[name].dtype))
      for name, value in signature.feeds(batch).items()
    }
    try:
      outputs = self._model.signatures[signature.name](**tensors)
    except tf.errors.InvalidArgumentError as error:
      # Only its first line says what is wrong; the rest are places in the graph.
      raise model.ModelError(f"{self.title} refused the inputs: {_reason(error)}") from error
    return model.Answer({n: np.array(value) for n, value in outputs.items()}, self._version)

  def close(self):
    self._model = None


def _version_dir(path):
  if os.path.exists(os.path.join(path, exporting.GRAPH_FILE)):
    return os.path.abspath(path)
  if not os.path.isdir(path):
    raise model.ModelError(f"There is no export folder {path!r}.")
  versions = publishing.versions(path)
  if not versions:
    raise model.ModelError(
      f"There is no model in {path!r}: expected {exporting.GRAPH_FILE}, or folders of versions such as '400'. "
      f"It holds: {', '.join(sorted(os.listdir(path))[:10]) or 'nothing'}."
    )
  return os.path.abspath(os.path.join(path, str(versions[-1])))


def _tensors(specs):
  return {
    name: model.Tensor(
      spec.dtype.name,
      None if spec.shape.rank is None else tuple(-1 if s is None else s for s in spec.shape),
    )
    for name, spec in specs.items()
  }


def _reason(error):
  lines = [line for line in error.message.splitlines() if line and "{{" not in line]
  return lines[0] if lines else error.message
