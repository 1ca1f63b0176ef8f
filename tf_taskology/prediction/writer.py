"""Writes predictions: arrays, pictures, and one line about each image."""

import json
import os
from collections.abc import Mapping

import numpy as np
from PIL import Image

from tf_taskology.prediction import image_files, output_kind

ARRAYS = ("npy", "npz", "none")
INDEX = "predictions.jsonl"


class Writer:
  """Writes into a folder. Thread-safe but for `note`.

  For an image "kitchen/7.jpg" and an output "depth": `kitchen/7.depth.npy` (or all outputs in `kitchen/7.npz`) and
  `kitchen/7.depth.png`; for a segmentation `kitchen/7.segmentation.png` in colours and
  `kitchen/7.segmentation_classes.png` with class numbers, 8 bits grey. The file `predictions.jsonl` has a line of JSON
  for each image: where it is, the frame after it where the model looks at two, the version that answered, its step and
  publish time, what holds of the image as a whole (the camera's motion), and the files.

  Args:
    folder: made if need be; files of the same names are replaced.
    kinds: what the outputs are.
    arrays: "npy", "npz" or "none".
    pictures: whether to draw.
    depth_range: of the colour scale of depth, metres; None for one of each picture's own.

  Raises:
    OSError: the folder cannot be written.
  """

  def __init__(
    self,
    folder: str,
    kinds: Mapping[str, output_kind.Kind],
    arrays: str = "npy",
    pictures: bool = True,
    depth_range: output_kind.Range | None = None,
  ):
    if arrays not in ARRAYS:
      raise ValueError(f"`arrays` must be one of {ARRAYS}. Received: {arrays!r}.")
    self._folder = folder
    self._kinds = kinds
    self._arrays = arrays
    self._pictures = pictures
    self._depth_range = depth_range
    os.makedirs(folder, exist_ok=True)
    self._index = open(os.path.join(folder, INDEX), "w", encoding="utf-8")  # noqa: SIM115

  def close(self) -> None:
    """Completes the index."""
    self._index.close()

  def write(
    self, image: image_files.ImageFile, outputs: Mapping[str, np.ndarray], version: int
  ) -> dict:
    """Writes one image's predictions.

    Args:
      image: the image.
      outputs: output -> array, without the batch axis.
      version: the one that answered.

    Returns:
      Its line for the index.
    """
    line = {"image": image.path, "name": image.name, "version": version, "files": {}}
    if image.next_path is not None:
      line["next_image"] = image.next_path
    kept = {}
    for name, array in outputs.items():
      kind = self._kinds.get(name, output_kind.Kind.ARRAY)
      if kind == output_kind.Kind.STAMP:
        line[name] = array.item()
        continue
      if kind == output_kind.Kind.VECTOR:
        line[name] = np.asarray(array, np.float64).ravel().tolist()
        continue
      if array.dtype.name == "bfloat16":  # readers without that type could not load the file
        array = array.astype(np.float32)
      kept[name] = array
      files = {}
      if self._arrays == "npy":
        files["array"] = self._save(f"{image.name}.{name}.npy", np.save, array)
      picture = self._draw(kind, array)
      if picture is not None:
        files["picture"] = self._save(f"{image.name}.{name}.png", _save_picture, picture)
      if picture is not None and kind == output_kind.Kind.SEGMENTATION:
        numbers = output_kind.classes(array)[..., 0]
        files["classes"] = self._save(f"{image.name}.{name}_classes.png", _save_picture, numbers)
      line["files"][name] = files
    if self._arrays == "npz":
      line["arrays"] = self._save(
        f"{image.name}.npz", lambda path, arrays: np.savez(path, **arrays), kept
      )
    return line

  def note(self, line: Mapping) -> None:
    """Adds a line to the index."""
    self._index.write(json.dumps(line) + "\n")
    self._index.flush()

  def _draw(self, kind, array):
    if not self._pictures:
      return None
    limits = self._depth_range if kind == output_kind.Kind.DEPTH else None
    return output_kind.draw(kind, array, limits)

  def _save(self, name, save, value):
    path = os.path.join(self._folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    save(path, value)
    return name


def _save_picture(path, picture):
  Image.fromarray(picture).save(path)
