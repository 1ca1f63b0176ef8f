"""What a launcher has to know of an experiment: its modules, and who asks whom."""

import dataclasses
import json
from collections.abc import Mapping, Sequence

MODES = ("distributed", "synchronous", "isolated")


@dataclasses.dataclass(frozen=True)
class ModulePlan:
  """One module.

  Attributes:
    name: its name.
    peers: names of the modules, or of models served elsewhere, whose predictions it needs.
    cpu_share: how much of this machine it gets, in proportion to the others' shares.
  """

  name: str
  peers: tuple[str, ...] = ()
  cpu_share: float = 1.0


@dataclasses.dataclass(frozen=True)
class LaunchPlan:
  """The modules of a collective.

  Attributes:
    modules: the modules, in the order in which people see them.
  """

  modules: tuple[ModulePlan, ...]

  def check(self, addresses: Mapping[str, str]) -> None:
    """Makes sure that each peer is a module or has an address.

    Args:
      addresses: name -> address of models that are served elsewhere.

    Raises:
      ValueError: if a peer is neither, or if an address belongs to nobody's peer.
    """
    names = {module.name for module in self.modules}
    elsewhere = {peer for module in self.modules for peer in module.peers} - names
    missing = sorted(elsewhere - set(addresses))
    if missing:
      raise ValueError(
        f"The modules need predictions of {', '.join(missing)}, which is none of the modules"
        f" ({', '.join(sorted(names))}). Say where it is served: --peer={missing[0]}=host:port."
      )
    unused = sorted(set(addresses) - elsewhere)
    if unused:
      raise ValueError(
        f"--peer gives an address for {', '.join(unused)}, but the modules need no such model from"
        f" elsewhere. They need: {', '.join(sorted(elsewhere)) or 'none'}."
      )

  @classmethod
  def of(cls, collective) -> "LaunchPlan":
    """The plan of an `experiment.Collective`."""
    frozen = {module.name for module in collective.frozen}  # no server answers for them
    return cls(
      tuple(
        ModulePlan(
          spec.name,
          tuple(p for p in collective.peers_of(spec) if p not in frozen),
          float(spec.cpu_share),
        )
        for spec in collective.modules
      )
    )

  def to_json(self) -> str:
    return json.dumps(dataclasses.asdict(self))

  @classmethod
  def from_json(cls, text: str) -> "LaunchPlan":
    fields = json.loads(text)
    modules = tuple(
      ModulePlan(m["name"], tuple(m["peers"]), m["cpu_share"]) for m in fields["modules"]
    )
    return cls(modules)


def parse_addresses(values: Sequence[str]) -> dict[str, str]:
  """["normals=h1:8500,h2:8500"] -> {"normals": "h1:8500,h2:8500"}.

  Raises:
    ValueError: if a value has another form.
  """
  addresses = {}
  for value in values:
    name, equals, address = value.partition("=")
    if not (name and equals and address):
      raise ValueError(
        f"--peer must have the form name=host:port[,host:port]. Received: {value!r}."
      )
    addresses[name] = address
  return addresses
