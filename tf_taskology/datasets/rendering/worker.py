"""Renders a share of a split and writes it to standard output; `workers` starts this program.

It imports the renderer and nothing of TensorFlow, so a worker is up in a fraction of a second. The
request comes as one pickle on standard input: (name of the renderer's module, job, split, count,
worker, workers, chunk). The answer is one pickled list of examples for each chunk whose number is
`worker` modulo `workers`.
"""

import importlib
import os
import pickle
import sys


def main() -> None:
  name, job, split, count, worker, workers, chunk = pickle.load(sys.stdin.buffer)
  renderer = importlib.import_module(name)
  for first in range(worker * chunk, count, workers * chunk):
    examples = [renderer.render(job, split, i) for i in range(first, min(first + chunk, count))]
    pickle.dump(examples, sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
  try:
    main()
  except BrokenPipeError:
    # The reader is gone (stopped or killed): nobody is left to render for. Leaves at once, since
    # an orderly exit would write to the broken pipe again.
    os._exit(1)
