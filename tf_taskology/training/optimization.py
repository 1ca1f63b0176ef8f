"""The optimiser of a module, as gin describes it."""

import tensorflow as tf


class Optimization:
  """Describes an optimiser and its learning-rate schedule; `build` makes it (inside a strategy's scope).

  Args:
    optimizer: name of a class in `tf.keras.optimizers`, e.g. "Adam", "AdamW", "SGD".
    learning_rate: peak learning rate.
    warmup_steps: steps of linear growth from 0.
    warmup_share: the same as a share of `decay_steps`, in place of `warmup_steps`.
    warmup_begin: global step at which the growth begins, for a module that no loss trains before: Adam, which then has
      no memory of how large gradients are, would take its first steps several times too long.
    decay: "constant", or "cosine" down to `final_fraction` of the peak at `decay_steps`.
    decay_steps: global step at which the cosine ends; after it the rate stays.
    final_fraction: see `decay`.
    clip_norm: upper bound of the gradients' global norm; None for none.
    arguments: more keyword arguments of the optimiser, e.g. {"beta_1": 0.9}.
  """

  def __init__(
    self,
    optimizer: str = "Adam",
    learning_rate: float = 1e-3,
    warmup_steps: int = 0,
    warmup_share: float = 0.0,
    warmup_begin: int = 0,
    decay: str = "constant",
    decay_steps: int | None = None,
    final_fraction: float = 0.05,
    clip_norm: float | None = 10.0,
    arguments: dict | None = None,
  ):
    if not isinstance(getattr(tf.keras.optimizers, optimizer, None), type):
      raise ValueError(
        f"Optimization.optimizer must name a class in tf.keras.optimizers. Received: {optimizer!r}."
      )
    if not learning_rate > 0:
      raise ValueError(f"Optimization.learning_rate must be > 0. Received: {learning_rate!r}.")
    if decay not in ("constant", "cosine"):
      raise ValueError(f"Optimization.decay must be 'constant' or 'cosine'. Received: {decay!r}.")
    if not 0 <= warmup_share < 1 or (warmup_share and (warmup_steps or not decay_steps)):
      raise ValueError(
        "Optimization.warmup_share must be in [0, 1), needs decay_steps and stands in place of warmup_steps. Received: "
        f"warmup_share={warmup_share!r}, decay_steps={decay_steps!r}, warmup_steps={warmup_steps!r}."
      )
    warmup_steps = warmup_steps or int(warmup_share * (decay_steps or 0))
    if warmup_begin < 0 or (warmup_begin and not warmup_steps):
      raise ValueError(
        "Optimization.warmup_begin must be >= 0 and needs warmup_steps or warmup_share. "
        f"Received: warmup_begin={warmup_begin!r}, warmup_steps={warmup_steps!r}."
      )
    if decay == "cosine" and not (decay_steps and decay_steps > warmup_begin + warmup_steps >= 0):
      raise ValueError(
        "Optimization.decay = 'cosine' needs decay_steps > warmup_begin + warmup_steps >= 0. Received: "
        f"decay_steps={decay_steps!r}, warmup_begin={warmup_begin!r}, warmup_steps={warmup_steps!r}."
      )
    if clip_norm is not None and not clip_norm > 0:
      raise ValueError(f"Optimization.clip_norm must be > 0 or None. Received: {clip_norm!r}.")
    self.optimizer = optimizer
    self.learning_rate = learning_rate
    self.warmup_steps = warmup_steps
    self.warmup_begin = warmup_begin
    self.decay = decay
    self.decay_steps = decay_steps
    self.final_fraction = final_fraction
    self.clip_norm = clip_norm
    self.arguments = dict(arguments or {})

  def build(self) -> tf.keras.optimizers.Optimizer:
    """A fresh optimiser."""
    rate = self.learning_rate
    if self.decay == "cosine":
      rate = tf.keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if self.warmup_steps else self.learning_rate,
        decay_steps=self.decay_steps - self.warmup_begin - self.warmup_steps,
        alpha=self.final_fraction,
        warmup_target=self.learning_rate if self.warmup_steps else None,
        warmup_steps=self.warmup_steps,
      )
    elif self.warmup_steps:
      rate = tf.keras.optimizers.schedules.PolynomialDecay(
        initial_learning_rate=self.learning_rate / self.warmup_steps,
        decay_steps=self.warmup_steps,
        end_learning_rate=self.learning_rate,
      )
    if self.warmup_begin:
      rate = _Later(rate, self.warmup_begin)
    return getattr(tf.keras.optimizers, self.optimizer)(
      learning_rate=rate, global_clipnorm=self.clip_norm, **self.arguments
    )


@tf.keras.utils.register_keras_serializable(package="tf_taskology")
class _Later(tf.keras.optimizers.schedules.LearningRateSchedule):
  """A schedule that begins at a later step, and until then stays as it begins."""

  def __init__(self, schedule: tf.keras.optimizers.schedules.LearningRateSchedule, begin: int):
    self.schedule, self.begin = schedule, begin

  def __call__(self, step):
    return self.schedule(tf.maximum(tf.cast(step, tf.float32) - self.begin, 0.0))

  def get_config(self):
    return {"schedule": self.schedule, "begin": self.begin}
