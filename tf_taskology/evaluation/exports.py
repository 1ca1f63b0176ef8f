"""Finds and runs the models that a run has published."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tf_taskology.datasets import element, observations, point_observation

EXPORTS_DIR = "exports"
_SIGNATURE = "serving_default"
_TAKES = {3: "frame", 6: "pair"}


@dataclasses.dataclass(frozen=True)
class Export:
  """One published version of a module: the SavedModel at `path`; the version is the trainer's global step."""

  module: str
  version: int
  path: str


def newest(work_dir: str | os.PathLike) -> dict[str, Export]:
  """The newest complete version of every module, `<work_dir>/exports/<module>/<version>/`.

  Raises:
    ValueError: if nothing is published there.
  """
  root = pathlib.Path(work_dir) / EXPORTS_DIR
  exports = {}
  for model in sorted(root.glob("*/*/saved_model.pb")):
    module, version = model.parts[-3:-1]
    # Versions are whole numbers; anything else is a folder that a trainer is still writing.
    if version.isdigit() and (module not in exports or int(version) > exports[module].version):
      exports[module] = Export(module, int(version), str(model.parent))
  if not exports:
    raise ValueError(f"No published model in {root}: expected <module>/<version>/saved_model.pb.")
  return exports


class Model:
  """A published model, ready to be asked through its `serving_default` signature.

  Attributes:
    export: where it comes from.
    outputs: the names of its prediction outputs.
    observation: what it looks at.
    takes: "frame", images of 3 channels or single sweeps; "pair", two frames one after the other in 6 channels; or
      "sequence", sweeps with an axis of frames.
  """

  def __init__(self, export: Export):
    self.export = export
    self._model = tf.saved_model.load(export.path)
    if _SIGNATURE not in self._model.signatures:
      raise ValueError(
        f"{export.path} must have the signature {_SIGNATURE!r}. It has: {sorted(self._model.signatures)}."
      )
    self._function = self._model.signatures[_SIGNATURE]
    _, inputs = self._function.structured_input_signature
    try:
      self.observation = observations.of_element(inputs)
      wanted = {name: dtype.name for name, dtype in self.observation.inputs.items()}
    except ValueError:
      wanted = {element.IMAGE: "uint8"}
    if {name: spec.dtype.name for name, spec in inputs.items()} != wanted:
      told = " and ".join(f"{name!r} ({dtype})" for name, dtype in wanted.items())
      raise ValueError(f"{_SIGNATURE!r} of {export.path} must take {told}. It takes: {inputs}.")
    self.takes = self._takes(inputs)
    # `step` and `published_at` are one number per image, predictions are images.
    outputs = self._function.structured_outputs
    self.outputs = tuple(sorted(set(outputs) - {"step", "published_at"}))

  def _takes(self, inputs):
    if element.IMAGE not in inputs:
      return "sequence" if inputs[point_observation.POINTS].shape.rank == 4 else "frame"
    channels = inputs[element.IMAGE].shape[-1]
    if channels not in _TAKES:
      raise ValueError(
        f"'image' of {self.export.path} must have 3 channels, or 6 of a pair of frames. It has: {channels}."
      )
    return _TAKES[channels]

  @property
  def min_frames(self) -> int:
    """Frames that a sample must have for the model to say something."""
    if self.takes == "sequence":
      return self._function.structured_input_signature[1][point_observation.POINTS].shape[1] or 1
    return 2 if self.takes == "pair" else 1

  def predict(self, inputs) -> dict[str, np.ndarray]:
    """Predictions by output name, [N, H, W, C] float32 or, of the image as a whole, [N, 1, 1, C].

    Args:
      inputs: [N, H, W, 3 or 6] uint8, or what `Observation.fold` gives. Of point clouds answers are [N, ...].

    Raises:
      ValueError: an answer has another size.
    """
    fields = inputs if isinstance(inputs, Mapping) else {element.IMAGE: inputs}
    dtypes = self.observation.inputs
    answers = self._function(**{n: tf.convert_to_tensor(v, dtypes[n]) for n, v in fields.items()})
    shape = next(iter(fields.values())).shape
    count, *size = shape[:3]
    fits = [(count, *size), (count, 1, 1)] if element.IMAGE in fields else [(count,)]
    predictions = {}
    for name in self.outputs:
      predictions[name] = answers[name].numpy().astype(np.float32)
      if predictions[name].shape[: len(fits[0])] not in fits:
        raise ValueError(
          f"{self.export.path} must answer {name!r} at the size of the image {fits[0]}, or [{count}, 1, 1] for "
          f"the image as a whole. It answered {predictions[name].shape}."
        )
    return predictions
