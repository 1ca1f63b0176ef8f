"""How much each module gets: replicas, workers, processors, memory; by flags for all modules, or for one."""

import dataclasses
import difflib
import re
from collections.abc import Callable, Mapping, Sequence

from serving.deployment import plan


@dataclasses.dataclass(frozen=True)
class Amounts:
  """What one module gets.

  Attributes:
    replicas: of its model server.
    workers: of its trainer.
    cpu: processors of each worker.
    memory: of each worker, such as "4Gi".
    gpus: of each worker.
    server_cpu: processors of each replica.
    server_memory: of each replica.
    server_gpus: of each replica.
  """

  replicas: int = 1
  workers: int = 1
  cpu: float = 2.0
  memory: str = "4Gi"
  gpus: int = 0
  server_cpu: float = 1.0
  server_memory: str = "2Gi"
  server_gpus: int = 0

  @property
  def threads(self) -> int:
    """Threads for a worker's operations: more than it has processors for would hinder each other."""
    return threads(self.cpu)

  @property
  def server_threads(self) -> int:
    """The same of a replica."""
    return threads(self.server_cpu)


def threads(cpu: float) -> int:
  """Whole processors, at least one."""
  return max(1, int(cpu))


def read(shares: Mapping[str, float], flags: Mapping[str, Sequence[str]]) -> dict[str, Amounts]:
  """The amounts of all modules.

  Args:
    shares: module -> its part of the processors, where flags do not say: the others get more or less than usual by it.
    flags: field of `Amounts` -> values of the flag: "4" for all modules, "normals=4" for one, which beats the former.

  Raises:
    DeployError: there is no such module, or a value makes no sense.
  """
  modules = tuple(shares)
  mean = sum(shares.values()) / len(shares)
  found = {}
  for module, share in shares.items():
    fields = {"cpu": round(Amounts.cpu * share / mean, 2)}
    for field, values in flags.items():
      parsed = [_parse(field, value, modules) for value in values]
      matching = [amount for name, amount in parsed if name == module]
      matching = matching or [amount for name, amount in parsed if name is None]
      if matching:
        fields[field] = matching[-1]
    found[module] = Amounts(**fields)
  return found


def _parse(field, value, modules):
  """(module or None, amount)."""
  name, equals, text = value.partition("=")
  if not equals:
    name, text = None, value
  elif name not in modules:
    close = difflib.get_close_matches(name, modules, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise plan.DeployError(
      f"--{field}={value}: there is no module {name!r}.{hint} The modules are: {', '.join(modules)}."
    )
  parse, expected = _KINDS[field]
  try:
    return name, parse(text)
  except ValueError as error:
    raise plan.DeployError(
      f"--{field} must be {expected}, or module={expected.split(',')[0]}. Received: {value!r}."
    ) from error


def _whole(least: int) -> Callable[[str], int]:
  def parse(text):
    number = int(text)
    if number < least:
      raise ValueError(text)
    return number

  return parse


def _processors(text: str) -> float:
  number = float(text[:-1]) / 1000 if text.endswith("m") else float(text)
  if not 0.01 <= number <= 10000:
    raise ValueError(text)
  return number


def _memory(text: str) -> str:
  if not re.fullmatch(r"[1-9][0-9]*(Mi|Gi|Ti)", text):
    raise ValueError(text)
  return text


_COUNT = (_whole(1), "a whole number >= 1")
_MAYBE = (_whole(0), "a whole number >= 0")
_CPU = (_processors, "a number of processors, such as 4 or 0.5 or 500m")
_MEMORY = (_memory, "an amount, such as 4Gi or 512Mi")
_KINDS = {
  "replicas": _COUNT,
  "workers": _COUNT,
  "cpu": _CPU,
  "memory": _MEMORY,
  "gpus": _MAYBE,
  "server_cpu": _CPU,
  "server_memory": _MEMORY,
  "server_gpus": _MAYBE,
}
