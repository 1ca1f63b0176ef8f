"""What client processes of benchmarks do: one request, over and over, for some seconds.

Light on purpose (no TensorFlow), for several of them start on one machine.
"""

import argparse
import json
import time
from collections.abc import Callable

from tf_taskology.training import allocator


def parser() -> argparse.ArgumentParser:
  """The arguments that all clients have."""
  made = argparse.ArgumentParser()
  made.add_argument("--start_at", type=float, required=True, help="seconds since the epoch")
  made.add_argument("--seconds", type=float, required=True)
  return made


def run(client: Callable[[], bytes], arguments: argparse.Namespace) -> None:
  """Prints {"calls", "seconds"} as JSON, after `--start_at` and for `--seconds`; closes the client."""
  allocator.keep_freed_memory()  # as trainers do
  client()
  time.sleep(max(arguments.start_at - time.time(), 0.0))
  begin = time.monotonic()
  calls = 0
  while (seconds := time.monotonic() - begin) < arguments.seconds:
    client()
    calls += 1
  client.close()
  print(json.dumps({"calls": calls, "seconds": seconds}))
