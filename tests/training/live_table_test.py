"""The exact text of the live table and of the lines that stand for it in logs."""

import dataclasses
import io
import os
import time

import rich.console
from absl.testing import absltest, parameterized

from tf_taskology.training import live_table, status

_DEPTH = status.Status(
  "depth",
  state="training",
  step=420,
  steps=2000,
  steps_per_sec=14.24,
  eta_secs=111,
  losses={"loss": 0.31234, "depth/log_mse": 0.1, "depth_normals/angle": 0.21234},
  waiting_share=0.012,
  time=1000,
  peers={"normals": status.PeerStatus(400, 3.1, 20, 0.01, 1012.1, 1100, 2, 1)},
)
_NORMALS = status.Status(
  "normals",
  message="waiting for peers: depth",
  steps=200000,
  step=12420,
  time=1000,
  peers={"depth": status.PeerStatus()},
)
_VIEW = live_table.View(
  work_dir="/data/run1",
  mode="distributed",
  started_at=800,
  modules=(
    live_table.ModuleView("depth", "training", _DEPTH, 0, live_table.ServerView(15001, "up", 420)),
    live_table.ModuleView("normals", "starting", _NORMALS, 1, live_table.ServerView(15002, "up")),
    live_table.ModuleView(
      "segmentation", "restart in 8s", None, 2, live_table.ServerView(15003, "restart in 2s", 7, 3)
    ),
  ),
  messages=((900, "depth trainer (pid 12) died of signal 9 (SIGKILL); restart 1 in 0.5 s"),),
)
_TABLE = """\
TF Taskology · distributed · 3m20s · /data/run1

module       state         step              steps/s   ETA   loss waits serves           restarts
depth        training      420/2,000 21%        14.2 1m51s 0.3123    1% v420                    0
normals      starting      12,420/200,000 6%       -     -      -    0% nothing yet             1
segmentation restart in 8s -                       -     -      -     - restart in 2s 2, server 3

asks            version age own steps waits requests failed skipped      MB
depth ← normals    v400  3s        20    1%    1,100      2       1 1,012.1
normals ← depth       -   -         -    0%        0      0       0     0.0

losses
depth  depth/log_mse 0.1 · depth_normals/angle 0.2123

normals: waiting for peers: depth
00:15:00  depth trainer (pid 12) died of signal 9 (SIGKILL); restart 1 in 0.5 s
Logs:    /data/run1/logs
Curves:  tensorboard --logdir /data/run1
Servers: depth 127.0.0.1:15001, normals 127.0.0.1:15002, segmentation 127.0.0.1:15003
"""


class Terminal(io.StringIO):
  def isatty(self):
    return True


class LiveTableTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(absltest.mock.patch.dict(os.environ, {"TZ": "UTC"}))
    time.tzset()
    self.addCleanup(time.tzset)

  def test_table_fits_100_columns(self):
    console = rich.console.Console(file=io.StringIO(), width=100)
    console.print(live_table.render(_VIEW, now=1000))
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    self.assertEqual("\n".join([*lines, ""]), _TABLE)

  def test_lines(self):
    lines = [live_table.module_line(m, 1000, _VIEW.started_at) for m in _VIEW.modules]
    self.assertEqual(
      lines,
      [
        " 3m20s | depth | training | step 420/2,000 21% | 14.2 steps/s | ETA 1m51s | loss 0.3123"
        " | waits 1% | normals v400 3s/20 steps old | server :15001 v420 | restarts 0",
        " 3m20s | normals | starting (waiting for peers: depth) | step 12,420/200,000 6% | - steps/s"
        " | ETA - | waits 0% | depth no answer yet | server :15002 nothing yet | restarts 1",
        " 3m20s | segmentation | restart in 8s | server :15003 restart in 2s"
        " | restarts 2, server 3",
      ],
    )

  @parameterized.parameters(
    (None, "-"), (0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (3599, "59m59s"), (3600, "1h00m"),
    (86399, "23h59m"), (90000, "1d01h"),
  )  # fmt: skip
  def test_duration(self, secs, text):
    self.assertEqual(live_table.duration(secs), text)

  @parameterized.parameters(
    ("", ""),
    ("I1122 Building.\nSegmentation fault\n", "Segmentation fault"),
    ("in user code:\n\n  File 1\n  TypeError: no such argument\n\nCall\n", "TypeError: no such argument"),
    ("I1122 Done.\nError: depth has no data.\n", "Error: depth has no data."),
    ("tf.errors.NotFoundError: x", "tf.errors.NotFoundError: x"),
    ("a" * 400, "a" * 297 + "..."),
  )  # fmt: skip
  def test_one_line(self, text, line):
    self.assertEqual(live_table.one_line(text), line)

  @parameterized.parameters(
    ("restart in 3s", _DEPTH, 1000, "restart in 3s"),
    ("running", None, 1000, "starting"),
    ("running", _DEPTH, 1010, "training"),
    ("running", _DEPTH, 1020, "silent 20s"),
    ("running", dataclasses.replace(_DEPTH, message="publishing"), 1100, "publishing"),
    ("running", _NORMALS, 1100, "starting"),
  )
  def test_trainer_state(self, process, written, now, state):
    self.assertEqual(live_table.trainer_state(process, written, now), state)

  def test_redirected_prints_at_the_interval_and_at_the_end(self):
    output = io.StringIO()
    display = live_table.Display(output, interval_secs=10)
    for now, is_last in ((1000, False), (1009.9, False), (1010, False), (1011, True)):
      display.update(_VIEW, now, is_last)
    display.message(1012, "depth trainer is done")
    display.close()
    lines = output.getvalue().splitlines()
    self.assertEqual(lines[0], "Logs:    /data/run1/logs")
    depth = [line.split(" | ")[0].strip() for line in lines if "| depth |" in line]
    self.assertEqual(depth, ["3m20s", "3m30s", "3m31s"])
    self.assertEqual(lines[-1], "00:16:52 depth trainer is done")
    self.assertNotIn("\x1b", output.getvalue())

  def test_terminal_is_redrawn_in_place(self):
    with absltest.mock.patch.dict(os.environ, {"TERM": "xterm", "COLUMNS": "100"}):
      output = Terminal()
      display = live_table.Display(output, interval_secs=10)
      display.update(_VIEW, 1000)
      display.message(1000, "not printed between the tables")
      display.update(_VIEW, 1001)
      display.close()
    text = output.getvalue()
    self.assertIn("\x1b[1A", text)  # Cursor up.
    self.assertGreaterEqual(text.count("TF Taskology"), 2)
    self.assertNotIn("not printed", text)


if __name__ == "__main__":
  absltest.main()
