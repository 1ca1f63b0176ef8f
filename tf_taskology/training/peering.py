"""The peers of one trainer, as its configuration describes them."""

from collections.abc import Callable, Mapping, Sequence

from tf_taskology.peers import peer, policy, served, stage, transport
from tf_taskology.training import experiment, work_folder


class Peers:
  """Connections to a module's peers, and the stage of the input pipeline that asks them.

  Args:
    collective: the configuration.
    spec: the module that asks.
    targets: peer name -> addresses of its model servers.
    work_dir: folder of the run; policy "last" reads the peers' exports there.
    size: (height, width) of the own predictions.
    step_fn: the own global step.
  """

  def __init__(
    self,
    collective: experiment.Collective,
    spec: experiment.ModuleSpec,
    targets: Mapping[str, Sequence[str]],
    work_dir: str,
    size: tuple[int, int],
    step_fn: Callable[[], int],
  ):
    settings = collective.peering
    tls = None
    if settings.tls_root_certificates:
      tls = transport.Tls(root_cert=settings.tls_root_certificates)
    peers, policies = [], {}
    for name, outputs in collective.peers_of(spec).items():
      if name not in targets:
        raise ValueError(
          f"Module {spec.name!r} needs the peer {name!r}, and no address was given for it."
        )
      known = peer.outputs_of(_tasks_of(collective, name, outputs))
      peers.append(
        served.ServedPeer(
          name=name,
          targets=list(targets[name]),
          outputs={output: known[output] for output in outputs},
          retries=transport.Retries(deadline_secs=settings.deadline_secs),
          tls=tls,
          mapping=settings.foreign.get(name),
          # TensorFlow Serving listens only once it has a version.
          connect_limit_secs=settings.start_timeout_secs,
          publish_limit_secs=settings.start_timeout_secs,
        )
      )
      policies[name] = _policy(settings, work_folder.export_dir(work_dir, name))
    self.names = tuple(policies)
    answered = {output for p in peers for output in p.outputs}
    frames = [
      f
      for loss in collective.mediated(spec)
      for o, fs in loss.needs.items()
      if o in answered
      for f in fs
    ]
    self.stage = stage.PredictionStage(
      peers,
      policies,
      size=size,
      step_fn=step_fn,
      parallel_calls=settings.in_flight,
      num_frames=1 + max(frames, default=0),
    )

  def records(self) -> dict[str, dict]:
    """Peer name -> what has been seen of it, as in status.json."""
    return {name: record.snapshot() for name, record in self.stage.records.items()}


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
