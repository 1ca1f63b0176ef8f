"""The streets world as a source of training samples."""

import tensorflow as tf

from tf_taskology.datasets.rendering import world_source
from tf_taskology.datasets.streets import motion, streets

# Label -> step to the frame that the motion leads to; see `motion`.
_MOTIONS = {"object_motion": 1, "object_motion_back": -1}


class StreetsSource(world_source.WorldSource):
  """Streets, rendered on first use into a cache folder.

  Labels: depth (0 in the sky), segmentation (Cityscapes train ids, see `classes`) and, where a
  sample has several frames, object_motion and object_motion_back (see `motion`): to the next frame
  and to the one before, NaN on the frame that has none.

  Args:
    domain: "street" (video) or "stills" (single images).
    image_size: (height, width) in pixels.
    frames: consecutive frames of a sample; None for 3 of `street`, 1 of `stills`.
    train: samples of split "train".
    validation: samples of split "validation".
    test: samples of split "test".
    seed: of the world; other seeds are other streets.
    noise: standard deviation of the sensor's noise, of a full scale of 1.
    data_dir: TFDS folder; None for the user's cache.
    max_train: use only so many of the training samples (few labels); None for all.
  """

  def __init__(
    self,
    domain: str = "street",
    image_size: tuple[int, int] = (128, 416),
    frames: int | None = None,
    train: int = streets.StreetsConfig.train,
    validation: int = streets.StreetsConfig.validation,
    test: int = streets.StreetsConfig.test,
    seed: int = 0,
    noise: float = streets.StreetsConfig.noise,
    data_dir: str | None = None,
    max_train: int | None = None,
  ):
    height, width = image_size
    config = streets.StreetsConfig(
      domain=domain,
      height=height,
      width=width,
      frames=frames,
      train=train,
      validation=validation,
      test=test,
      seed=seed,
      noise=noise,
    )
    super().__init__(streets.Streets, config, data_dir, max_train)

  @property
  def label_types(self):
    types = {"depth": (1, tf.float32), "segmentation": (1, tf.uint8)}
    if self.num_frames > 1:
      types.update(dict.fromkeys(_MOTIONS, (3, tf.float32)))
    return types

  def label(self, example, name):
    step = _MOTIONS.get(name)
    return example[name] if step is None else motion.object_motion(example, step)
