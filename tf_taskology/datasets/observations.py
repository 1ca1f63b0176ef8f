"""Which kind of data tasks and elements have."""

from collections.abc import Mapping, Sequence

from tf_taskology.datasets import image_observation, observation, point_observation
from tf_taskology.tasks import task as task_lib

_ALL: dict[str, observation.Observation] = {
  kind.name: kind
  for kind in (image_observation.ImageObservation(), point_observation.PointObservation())
}


def named(name: str) -> observation.Observation:
  """The kind of data of that name.

  Raises:
    ValueError: there is none.
  """
  if name not in _ALL:
    raise ValueError(f"Tasks must observe one of {sorted(_ALL)}. Received: {name!r}.")
  return _ALL[name]


def of_tasks(tasks: Sequence[task_lib.Task]) -> observation.Observation:
  """What the tasks of one module look at.

  Raises:
    ValueError: they look at different things, or take of it what it does not have.
  """
  found = named(task_lib.observes_of(tasks))
  takes = task_lib.takes_of(tasks)
  if takes not in found.takes:
    raise ValueError(
      f"Tasks that observe {found.name!r} may take one of {found.takes}. "
      f"Received: {[task.name for task in tasks]} take a {takes}."
    )
  return found


def of_element(element: Mapping) -> observation.Observation:
  """What an element, a batch of them or their spec has.

  Raises:
    ValueError: nothing that is known.
  """
  for kind in _ALL.values():
    if all(field in element for field in kind.inputs):
      return kind
  raise ValueError(
    f"An element must have the fields {' or '.join(str(tuple(k.inputs)) for k in _ALL.values())}. "
    f"Received: {sorted(element)}."
  )
