"""Relations that move the frames of a video by predicted depth and motion: what they share."""

import abc
import inspect
from collections.abc import Callable, Sequence

from tf_taskology.consistency import consistency_loss, flow_directions


class FlowRelation(consistency_loss.ConsistencyLoss):
  """A relation between what a frame's pixels are and what is found where depth and motion put them.

  Attributes:
    STOP_GRADIENTS: what a subclass can hold constant, the names that `stop_gradients` may have.
  """

  STOP_GRADIENTS: tuple[str, ...]

  def __init_subclass__(cls, **arguments):
    """Gives a subclass's `__init__` the signature that it has with the arguments that it passes on.

    gin then refuses a misspelt parameter where it is written, and people see all of them in `help`.
    """
    super().__init_subclass__(**arguments)
    if "__init__" in vars(cls):
      cls.__init__.__signature__ = _whole_signature(cls.__init__, FlowRelation.__init__)

  def __init__(
    self,
    weights=None,
    labelled_weights=None,
    stop_gradients: Sequence[str] = (),
    occlusion_tolerance: float = 0.0,
    scales: Sequence[int] = (1,),
    jit_compile: bool = True,
    name: str | None = None,
    **reading,
  ):
    """Checks the arguments.

    Args:
      weights: see `ConsistencyLoss`.
      labelled_weights: see `ConsistencyLoss`.
      stop_gradients: what counts as constant, any of `STOP_GRADIENTS`.
      occlusion_tolerance: a pixel counts as in view also if it lies behind the other frame's surface
        by up to this share of its depth.
      scales: the terms are summed over these, each divided by the scale, as DML does: at scale s of
        the predictions every s-th pixel counts, and images are means over s times the footprint.
        (DML, whose own setting is one scale, takes means of s x s pixels of both, and leaves the
        camera's centre half a pixel off by that.) What moves by many pixels is found at coarse
        scales only.
      jit_compile: run the loss under XLA, which takes a fraction of the time.
      name: of the tf.Module.
      **reading: `frames`, `intrinsics`, `ego_motion`, `object_motion`, `interval`, `mask`,
        `movable_classes`, `dilation` and `spans`, as of `flow_directions.Reading`.

    Raises:
      ValueError: for a value out of range, or as `ConsistencyLoss`.
      TypeError: for another argument.
    """
    relation = type(self).__name__
    unknown = sorted(set(stop_gradients) - set(self.STOP_GRADIENTS))
    if unknown:
      raise ValueError(
        f"{relation}.stop_gradients may name {self.STOP_GRADIENTS}. Received: {unknown} among them."
      )
    if not occlusion_tolerance >= 0:
      raise ValueError(
        f"{relation}.occlusion_tolerance must be >= 0. Received: {occlusion_tolerance!r}."
      )
    scales = tuple(scales)
    if not scales or not all(isinstance(scale, int) and scale >= 1 for scale in scales):
      raise ValueError(f"{relation}.scales must be whole numbers >= 1. Received: {scales!r}.")
    readable = tuple(parameter.name for parameter in _reading_parameters())
    unknown = sorted(set(reading) - set(readable))
    if unknown:
      raise TypeError(
        f"{relation} has no argument {unknown[0]!r}; of what it reads it has {', '.join(readable)}."
      )
    self._constant = tuple(stop_gradients)
    self._occlusion_tolerance = occlusion_tolerance
    self._scales = scales
    self._reading = flow_directions.Reading(relation, **reading)
    super().__init__(weights, labelled_weights, name)
    self._terms = consistency_loss.compiled(self._read_and_compute, jit_compile)

  @property
  def needs(self):
    return self._reading.needs

  @property
  def needs_inputs(self):
    return self._reading.needs_inputs

  def __call__(self, predictions, inputs, labels=None):
    return self._terms(self._reading.select(self.needs, predictions, inputs, labels))

  def _read_and_compute(self, read):
    sums = {}
    for scale in self._scales:
      at_scale = flow_directions.at_scale(read, scale)
      directions = flow_directions.Directions(self._reading, at_scale, self._constant)
      for name, value in self._compute(at_scale, directions).items():
        sums[name] = sums.get(name, 0.0) + value / scale
    return sums

  @abc.abstractmethod
  def _compute(self, read, directions):
    """The terms, of the tensors that are read and of the frames in both directions."""


def _whole_signature(own: Callable, base: Callable) -> inspect.Signature:
  """The signature of an `__init__`, those of `base` and of what is read in place of its `**`."""
  parameters = _named(own)
  names = {parameter.name for parameter in parameters}
  parameters += [
    parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
    for parameter in (*_named(base), *_reading_parameters())
    if parameter.name not in names
  ]
  return inspect.Signature(parameters)


def _named(function: Callable) -> list[inspect.Parameter]:
  """The parameters but `**`."""
  parameters = inspect.signature(function).parameters.values()
  return [one for one in parameters if one.kind is not inspect.Parameter.VAR_KEYWORD]


def _reading_parameters() -> list[inspect.Parameter]:
  """What `flow_directions.Reading` takes but the relation's name."""
  return list(inspect.signature(flow_directions.Reading).parameters.values())[1:]
