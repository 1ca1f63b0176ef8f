"""Finds and runs the models that a run has published."""

import dataclasses
import os
import pathlib

import numpy as np
import tensorflow as tf

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
    takes: "frame", images of 3 channels, or "pair", two frames one after the other in 6.
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
    if set(inputs) != {"image"} or inputs["image"].dtype != tf.uint8:
      raise ValueError(
        f"{_SIGNATURE!r} of {export.path} must take 'image' (uint8). It takes: {inputs}."
      )
    channels = inputs["image"].shape[-1]
    if channels not in _TAKES:
      raise ValueError(
        f"'image' of {export.path} must have 3 channels, or 6 of a pair of frames. It has: {channels}."
      )
    self.takes = _TAKES[channels]
    # `step` and `published_at` are one number per image, predictions are images.
    outputs = self._function.structured_outputs
    self.outputs = tuple(sorted(set(outputs) - {"step", "published_at"}))

  def predict(self, images: np.ndarray | tf.Tensor) -> dict[str, np.ndarray]:
    """Predictions by output name, [N, H, W, C] float32 or, of the image as a whole, [N, 1, 1, C].

    Args:
      images: [N, H, W, 3 or 6] uint8.

    Raises:
      ValueError: an answer has another size.
    """
    count, *size = images.shape[:3]
    answers = self._function(image=tf.convert_to_tensor(images, tf.uint8))
    predictions = {}
    for name in self.outputs:
      predictions[name] = answers[name].numpy().astype(np.float32)
      if predictions[name].shape[:3] not in ((count, *size), (count, 1, 1)):
        raise ValueError(
          f"{self.export.path} must answer {name!r} at the size of the image {(count, *size)}, or [{count}, 1, 1] for "
          f"the image as a whole. It answered {predictions[name].shape}."
        )
    return predictions
