"""Writes the files that a finished run leaves, for tests of charts and report."""

import json
import pathlib

STEPS = (20, 40, 60)


def write(work_dir, mode="distributed", peers=True, steps=STEPS, consistency_weight=0.5):
  """A run of the modules "depth" and "normals" with made-up numbers: loss 100 / step, peers' answers 1.5 s old."""
  work_dir = pathlib.Path(work_dir)
  work_dir.mkdir(parents=True, exist_ok=True)
  (work_dir / "run.json").write_text(json.dumps({"mode": mode, "modules": ["depth", "normals"]}))
  (work_dir / "config.gin").write_text(
    f"STEPS = {steps[-1]}\nCONSISTENCY_WEIGHT = {consistency_weight}  # <weight>\n"
  )
  for module, peer in (("depth", "normals"), ("normals", "depth")):
    folder = work_dir / module
    folder.mkdir(exist_ok=True)
    entries = [_entry(step, module, peer if peers else None) for step in steps]
    (folder / "history.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))
    (folder / "status.json").write_text(
      json.dumps({"module": module, "state": "done", "step": steps[-1]})
    )


def _entry(step, module, peer):
  answers = {
    "version": step - 10,
    "staleness_secs": 1.5,
    "staleness_steps": 10,
    "waiting_share": 0.0,
    "mbytes": 0.25 * step,
    "requests": step,
    "failures": 0,
    "skipped": 2,
    "policy": "wait",
    "target": "localhost:1",
  }
  return {
    "step": step,
    "time": 1e9 + 6.0 * step,
    "steps_per_sec": 8.0,
    "waiting_share": 0.125,
    "losses": {"loss": 100.0 / step, "val_loss": 120.0 / step, f"{module}/term": 1.0},
    "peers": {peer: answers} if peer else {},
  }
