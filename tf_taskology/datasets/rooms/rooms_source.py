"""The rooms world as a source of training samples."""

import tensorflow as tf

from tf_taskology.datasets.rendering import world_source
from tf_taskology.datasets.rooms import rooms

_LABELS = {"depth": (1, tf.float32), "normals": (3, tf.float32), "segmentation": (1, tf.uint8)}


class RoomsSource(world_source.WorldSource):
  """Rooms, rendered on first use into a cache folder.

  Args:
    domain: "simulated" or "sensor".
    image_size: (height, width) in pixels.
    train: samples of split "train".
    validation: samples of split "validation".
    test: samples of split "test".
    seed: of the world; other seeds are other rooms.
    data_dir: TFDS folder; None for the user's cache.
    max_train: use only so many of the training samples (few labels); None for all.
  """

  def __init__(
    self,
    domain: str = "simulated",
    image_size: tuple[int, int] = (48, 64),
    train: int = rooms.RoomsConfig.train,
    validation: int = rooms.RoomsConfig.validation,
    test: int = rooms.RoomsConfig.test,
    seed: int = 0,
    data_dir: str | None = None,
    max_train: int | None = None,
  ):
    height, width = image_size
    config = rooms.RoomsConfig(
      domain=domain,
      height=height,
      width=width,
      train=train,
      validation=validation,
      test=test,
      seed=seed,
    )
    super().__init__(rooms.Rooms, config, data_dir, max_train)

  @property
  def label_types(self):
    return _LABELS
