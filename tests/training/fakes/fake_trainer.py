"""A trainer without training: keeps the real one's contract (flags, lock, status, exit codes).

Its bindings, in place of gin's: steps=N, secs_per_step=S, and for the module MODULE
MODULE.exit_code=N (ends at once with this code) or MODULE.crash_at=N (dies at this step, every time).
"""

import argparse
import os
import signal
import socket
import sys
import time

from tf_taskology.training import locks, status


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument("--gin_file", action="append")
  parser.add_argument("--gin_binding", action="append", default=[])
  parser.add_argument("--peer", action="append", default=[])
  parser.add_argument("--threads", type=int)
  for name in ("module", "work_dir", "mode"):
    parser.add_argument(f"--{name}", default="collective")
  flags = parser.parse_args()
  bindings = dict(binding.split("=") for binding in flags.gin_binding)
  folder = os.path.join(flags.work_dir, flags.module)
  exit_code = int(bindings.get(f"{flags.module}.exit_code", 0))
  if exit_code:
    print(f"Error: {flags.module} has nothing to train on.", file=sys.stderr)
    sys.exit(exit_code)
  with locks.Lock(os.path.join(folder, locks.FILE_NAME)):
    _train(flags, bindings, folder)


def _train(flags, bindings, folder):
  stop = []
  signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
  print("peers", flags.peer, "threads", flags.threads, flush=True)
  for peer in flags.peer:
    _wait_for(peer.partition("=")[2])
  steps = int(bindings.get("steps", 20))
  crash_at = int(bindings.get(f"{flags.module}.crash_at", -1))
  checkpoint = os.path.join(folder, "checkpoint")
  first = 0
  if os.path.exists(checkpoint):
    with open(checkpoint) as file:
      first = int(file.read())
  for step in range(first, max(first, steps) + 1):
    with open(f"{checkpoint}.tmp", "w") as file:
      file.write(str(step))
    os.replace(f"{checkpoint}.tmp", checkpoint)
    is_told = bool(stop)
    status.Status(
      flags.module,
      state="done" if step >= steps else "waiting" if is_told else "training",
      step=step,
      steps=steps,
      losses={"loss": 1.0 / (step + 1)},
      initial_step=first,
    ).write(folder)
    if step == crash_at:
      os._exit(1)
    if is_told or step >= steps:
      return
    time.sleep(float(bindings.get("secs_per_step", 0.05)))


def _wait_for(address):
  host, port = address.split(":")
  while True:
    try:
      socket.create_connection((host, int(port)), timeout=1.0).close()
      return
    except OSError:
      time.sleep(0.05)


if __name__ == "__main__":
  main()
