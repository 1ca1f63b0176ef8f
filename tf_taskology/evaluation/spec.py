"""What to evaluate on: one entry of an experiment's list of evaluations."""

from collections.abc import Sequence

from tf_taskology.evaluation import protocol

FRAMES = ("first", "all")


class EvaluationSpec:
  """A data set, a split of it, and the protocols to report.

  Args:
    name: what tables call it, e.g. "rooms, sensor"; unique within an experiment.
    source: a `tf_taskology.datasets` source.
    split: the split of the source.
    protocols: `protocol.Protocol` objects with different names.
    batch_size: samples per call of a model.
    max_samples: the first so many samples only; None for all.
    frames: "all" frames of a sample count as images, or the "first" one only.
    shown: outputs to show in pictures though no protocol reads them, if a model gives them.
    anchors: `geometry.anchors.Anchors` of box flow, to show it at boxes; None where there is none.
  """

  def __init__(
    self,
    name: str,
    source,
    split: str = "test",
    protocols: Sequence[protocol.Protocol] = (),
    batch_size: int = 16,
    max_samples: int | None = None,
    frames: str = "all",
    shown: Sequence[str] = (),
    anchors=None,
  ):
    names = [p.name for p in protocols]
    if not names or len(set(names)) < len(names):
      raise ValueError(
        f"Evaluation {name!r} needs one protocol or more, with different names. Received: {names}."
      )
    if batch_size < 1 or (max_samples is not None and max_samples < 1):
      raise ValueError(
        f"Evaluation {name!r}: batch_size and max_samples must be positive. Received: {batch_size}, {max_samples}."
      )
    if frames not in FRAMES:
      raise ValueError(
        f"Evaluation {name!r}: frames must be one of {FRAMES}. Received: {frames!r}."
      )
    self.name = name
    self.source = source
    self.split = split
    self.protocols = tuple(protocols)
    self.batch_size = batch_size
    self.max_samples = max_samples
    self.frames = frames
    self.shown = tuple(shown)
    self.anchors = anchors


def select(specs: Sequence[EvaluationSpec], names: Sequence[str] = ()) -> list[EvaluationSpec]:
  """The specs of those names, in the order of `specs`; all of them if no name is given.

  Raises:
    ValueError: if there is no spec, or none of such a name.
  """
  known = [s.name for s in specs]
  if not known:
    raise ValueError(
      "The configuration has no evaluation: bind Collective.evaluation to a list of EvaluationSpec."
    )
  unknown = [name for name in names if name not in known]
  if unknown:
    raise ValueError(
      f"There is no evaluation {', '.join(map(repr, unknown))}. There are: {', '.join(map(repr, known))}."
    )
  return [s for s in specs if not names or s.name in names]
