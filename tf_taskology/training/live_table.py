"""What a person sees while a collective trains: a live table, or plain lines when redirected.

Formatting is pure: the time is an argument, and the same view gives the same text.
"""

import dataclasses
import re
import time
from collections.abc import Sequence
from typing import TextIO

import rich.console
import rich.live
import rich.table
import rich.text

from tf_taskology.training import status as status_lib

_WIDTH = 100  # When the terminal does not say.
_SILENT_SECS = 15.0  # A trainer writes its status about once per second while it trains.
_NUM_MESSAGES = 5
_MESSAGE_LENGTH = 300
_ERROR_LINE = re.compile(r"[\w.]*(Error|Exception)\b.*: ")  # The end of a traceback.
_STYLES = dict.fromkeys(("training", status_lib.PUBLISHING, "done"), "green")
_STYLES |= {"failed": "bold red", "waiting": "yellow"}


@dataclasses.dataclass(frozen=True)
class ServerView:
  """A model server: where it listens and what it serves.

  Attributes:
    port: gRPC port on this machine.
    state: "up", or what it is doing instead.
    version: newest version that it serves; None for none, or unknown.
    restarts: how often it has been restarted.
  """

  port: int
  state: str
  version: int | None = None
  restarts: int = 0


@dataclasses.dataclass(frozen=True)
class ModuleView:
  """A module's trainer and model server.

  Attributes:
    name: of the module.
    state: of the trainer, from `trainer_state`.
    status: what the trainer wrote last, if anything.
    restarts: how often the trainer has been restarted.
    server: its model server, if it has one.
  """

  name: str
  state: str
  status: status_lib.Status | None = None
  restarts: int = 0
  server: ServerView | None = None


@dataclasses.dataclass(frozen=True)
class View:
  """Everything that is shown.

  Attributes:
    work_dir: the run's folder.
    mode: how the modules train together.
    started_at: when the launcher started, seconds since the epoch.
    modules: one per module.
    messages: (time, text), oldest first.
  """

  work_dir: str
  mode: str
  started_at: float
  modules: Sequence[ModuleView]
  messages: Sequence[tuple[float, str]] = ()


def trainer_state(process: str, status: status_lib.Status | None, now: float) -> str:
  """A trainer's state in a word or two.

  Args:
    process: what the launcher knows: "running", or what the process is doing instead.
    status: what this very process wrote last; None if it has not written.
    now: seconds since the epoch.
  """
  if process != "running":
    return process
  if status is None:
    return "starting"
  if status.state == "training" and status.message == status_lib.PUBLISHING:
    return status_lib.PUBLISHING
  if status.state == "training" and now - status.time > _SILENT_SECS:
    return f"silent {duration(now - status.time)}"
  return status.state


def duration(secs: float | None) -> str:
  """Seconds for people: "12s", "3m05s", "2h07m", "1d03h"; "-" for None."""
  if secs is None:
    return "-"
  minutes, seconds = divmod(round(secs), 60)
  hours, minutes = divmod(minutes, 60)
  days, hours = divmod(hours, 24)
  if days:
    return f"{days}d{hours:02}h"
  if hours:
    return f"{hours}h{minutes:02}m"
  return f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"


def one_line(text: str) -> str:
  """The line of an error message that says most, cut to a readable length."""
  lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
  errors = [line for line in lines if _ERROR_LINE.match(line)]
  line = errors[-1] if errors else lines[-1]
  return line if len(line) <= _MESSAGE_LENGTH else f"{line[: _MESSAGE_LENGTH - 3]}..."


def module_line(module: ModuleView, now: float, started_at: float) -> str:
  """One line about one module, for logs."""
  parts = [f"{duration(now - started_at):>6}", module.name, module.state]
  if module.status:
    status = module.status
    if _says_more(module):
      parts[-1] += f" ({one_line(status.message)})"
    parts.append(f"step {_step(status)}")
    parts.append(f"{_rate(status)} steps/s")
    parts.append(f"ETA {duration(status.eta_secs)}")
    if "loss" in status.losses:
      parts.append(f"loss {status.losses['loss']:.4g}")
    parts.append(f"waits {status.waiting_share:.0%}")
    for name, peer in status.peers.items():
      parts.append(f"{name} {_answer_age(peer)}")
  if module.server:
    parts.append(f"server :{module.server.port} {_server(module.server)}")
  parts.append(f"restarts {_restarts(module)}")
  return " | ".join(parts)


def render(view: View, now: float) -> rich.console.Group:
  """The whole table."""
  head = f"{view.mode} · {duration(now - view.started_at)} · {view.work_dir}"
  sections = [rich.text.Text(f"TF Taskology · {head}"), "", _module_table(view.modules), ""]
  if any(module.status and module.status.peers for module in view.modules):
    sections += [_peer_table(view.modules), ""]
  if any(_terms(module) for module in view.modules):
    sections += [_loss_table(view.modules), ""]
  for module in view.modules:
    if _says_more(module):
      text = f"{module.name}: {one_line(module.status.message)}"
      sections.append(rich.text.Text(text, style="yellow"))
  for at, text in list(view.messages)[-_NUM_MESSAGES:]:
    clock = time.strftime("%H:%M:%S", time.localtime(at))
    sections.append(rich.text.Text(f"{clock}  {text}", style="dim"))
  sections.append(rich.text.Text(_where(view)))
  return rich.console.Group(*sections)


def _says_more(module):
  """Whether the trainer's message says what its state does not."""
  return module.status and module.status.message not in ("", module.state)


def _step(status):
  percent = f" {status.step / status.steps:.0%}" if status.steps else ""
  return f"{status.step:,}/{status.steps:,}{percent}"


def _rate(status):
  return f"{status.steps_per_sec:.1f}" if status.steps_per_sec else "-"


def _answer_age(peer):
  if peer.version < 0:
    return "no answer yet"
  return f"v{peer.version} {duration(peer.staleness_secs)}/{peer.staleness_steps:,} steps old"


def _server(server):
  if server is None:
    return "-"
  if server.state != "up":
    return server.state
  return "nothing yet" if server.version is None else f"v{server.version}"


def _restarts(module):
  if module.server and module.server.restarts:
    return f"{module.restarts}, server {module.server.restarts}"
  return str(module.restarts)


def _terms(module):
  losses = module.status.losses if module.status else {}
  return {name: value for name, value in losses.items() if name != "loss"}


def _where(view):
  lines = [f"Logs:    {view.work_dir}/logs", f"Curves:  tensorboard --logdir {view.work_dir}"]
  ports = [f"{m.name} 127.0.0.1:{m.server.port}" for m in view.modules if m.server]
  return "\n".join([*lines, f"Servers: {', '.join(ports)}"] if ports else lines)


def _table(*columns):
  table = rich.table.Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
  for name in columns:
    table.add_column(name.lstrip("<"), justify="left" if name.startswith("<") else "right")
  return table


def _module_table(modules):
  names = ("<module", "<state", "<step", "steps/s", "ETA", "loss", "waits", "<serves", "restarts")
  table = _table(*names)
  for module in modules:
    state = rich.text.Text(module.state, style=_STYLES.get(module.state, ""))
    cells = ["-"] * 5
    if module.status:
      status = module.status
      loss = f"{status.losses['loss']:.4g}" if "loss" in status.losses else "-"
      cells = [_step(status), _rate(status), duration(status.eta_secs)]
      cells += [loss, f"{status.waiting_share:.0%}"]
    table.add_row(module.name, state, *cells, _server(module.server), _restarts(module))
  return table


def _peer_table(modules):
  names = ("<asks", "version", "age", "own steps", "waits", "requests", "failed", "skipped", "MB")
  table = _table(*names)
  for module in modules:
    for name, peer in (module.status.peers if module.status else {}).items():
      answered = peer.version >= 0
      table.add_row(
        f"{module.name} ← {name}",
        f"v{peer.version}" if answered else "-",
        duration(peer.staleness_secs) if answered else "-",
        f"{peer.staleness_steps:,}" if answered else "-",
        f"{peer.waiting_share:.0%}",
        f"{peer.requests:,}",
        f"{peer.failures:,}",
        f"{peer.skipped:,}",
        f"{peer.mbytes:,.1f}",
      )
  return table


def _loss_table(modules):
  table = _table("<losses", "<")
  for module in modules:
    terms = [f"{name} {value:.4g}" for name, value in _terms(module).items()]
    if terms:
      table.add_row(module.name, " · ".join(terms))
  return table


class Display:
  """Shows views: redrawn in place on a terminal, as lines at an interval elsewhere."""

  def __init__(self, output: TextIO, interval_secs: float):
    """
    Args:
      output: where to write.
      interval_secs: seconds between lines about the modules, if `output` is no terminal.
    """
    self._output = output
    self._interval_secs = interval_secs
    self._next_lines_at = float("-inf")
    self._live = None
    if output.isatty():
      console = rich.console.Console(file=output)
      self._live = rich.live.Live(console=console, auto_refresh=False, transient=False)
      self._live.start()

  def message(self, now: float, text: str) -> None:
    """Shows a line at once, if the view will not."""
    if not self._live:
      clock = time.strftime("%H:%M:%S", time.localtime(now))
      print(f"{clock} {text}", file=self._output, flush=True)

  def update(self, view: View, now: float, is_last: bool = False) -> None:
    """Shows a view, if it is time."""
    if self._live:
      self._live.update(render(view, now), refresh=True)
    elif now >= self._next_lines_at or is_last:
      if self._next_lines_at == float("-inf"):
        print(_where(view), file=self._output)
      self._next_lines_at = now + self._interval_secs
      for module in view.modules:
        print(module_line(module, now, view.started_at), file=self._output, flush=True)

  def close(self) -> None:
    if self._live:
      self._live.stop()
