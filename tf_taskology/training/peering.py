"""The peers of one trainer, as its configuration describes them."""

from collections.abc import Callable, Mapping, Sequence

from tf_taskology.consistency import consistency_loss
from tf_taskology.datasets import observations
from tf_taskology.peers import frozen, mapping, peer, policy, served, stage, transport
from tf_taskology.tasks import task as task_lib
from tf_taskology.training import experiment, work_folder


class Peers:
  """Connections to the peers of a trainer's modules, and the stage of the input pipeline that asks them.

  Args:
    collective: the configuration.
    specs: the modules that ask; what they answer themselves is not asked of anybody.
    targets: peer name -> addresses of its model servers.
    work_dir: folder of the run; policy "last" reads the peers' exports there.
    size: (height, width) of the predictions in the batches, that of the own ones; None if outputs fix it.
    step_fn: the own global step.

  Raises:
    ValueError: there is no address for a peer.
  """

  def __init__(
    self,
    collective: experiment.Collective,
    specs: Sequence[experiment.ModuleSpec],
    targets: Mapping[str, Sequence[str]],
    work_dir: str,
    size: tuple[int, int] | None,
    step_fn: Callable[[], int],
  ):
    self._collective, self._targets = collective, targets
    needed = {}
    for spec in specs:
      needed.update(collective.peers_of(spec))
    own = {spec.name for spec in specs}
    peers, policies = [], {}
    for name, outputs in needed.items():
      if name not in own:
        peers.append(self._peer(name, outputs))
        policies[name] = _policy(collective.peering, work_folder.export_dir(work_dir, name))
    self.names = tuple(policies)
    mediated = [loss for spec in specs for loss in collective.mediated(spec)]
    answered = {output for p in peers for output in p.outputs}
    self.stage = stage.PredictionStage(
      peers,
      policies,
      size=size,
      step_fn=step_fn,
      parallel_calls=collective.peering.in_flight,
      num_frames=max(1, consistency_loss.frames_read(mediated, answered)),
    )

  def _peer(self, name, outputs):
    settings = self._collective.peering
    for module in self._collective.frozen:
      if module.name == name:
        known = peer.outputs_of(module.tasks)
        return frozen.FrozenPeer(
          name, {o: known[o] for o in outputs}, path=module.path, takes=module.takes
        )
    if name not in self._targets:
      raise ValueError(
        f"The peer {name!r} is needed for {list(outputs)}, and no address was given for it."
      )
    tasks = _tasks_of(self._collective, name, outputs)
    known = peer.outputs_of(tasks)
    tls = None
    if settings.tls_root_certificates:
      tls = transport.Tls(root_cert=settings.tls_root_certificates)
    return served.ServedPeer(
      name=name,
      targets=list(self._targets[name]),
      outputs={output: known[output] for output in outputs},
      takes=task_lib.takes_of(tasks),
      retries=transport.Retries(deadline_secs=settings.deadline_secs),
      tls=tls,
      mapping=settings.foreign.get(name) or _mapping(tasks, outputs),
      # TensorFlow Serving listens only once it has a version.
      connect_limit_secs=settings.start_timeout_secs,
      publish_limit_secs=settings.start_timeout_secs,
    )

  def records(self) -> dict[str, dict]:
    """Peer name -> what has been seen of it, as in status.json."""
    return {name: record.snapshot() for name, record in self.stage.records.items()}


def _mapping(tasks, outputs):
  """How a module of this collective is asked."""
  fields = observations.of_tasks(tasks).inputs
  return mapping.OwnMapping(outputs, inputs={name: dtype.name for name, dtype in fields.items()})


def _tasks_of(collective, name, outputs):
  """The tasks whose outputs a peer answers: its own module's, or for a foreign model whichever has them."""
  modules = [m for m in collective.modules if m.name == name] or collective.modules
  return [task for m in modules for task in m.tasks if set(task.outputs) & set(outputs)]


def _policy(settings, export_dir):
  if settings.policy == "skip":
    return policy.Skip(max_staleness_secs=settings.max_staleness_secs)
  if settings.policy == "last":
    return policy.Last(export_dir, max_staleness_secs=settings.max_staleness_secs)
  return policy.Wait(max_staleness_secs=settings.max_staleness_secs)
