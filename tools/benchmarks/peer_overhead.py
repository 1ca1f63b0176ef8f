"""How much remote peers slow a trainer down: steps/s with peers that take 50 or 200 ms to answer, over steps/s with the
same predictions at hand.

  python -m tools.benchmarks.peer_overhead

The trainer is a depth module's: labelled and mediator images, supervised and consistency losses, as Keras runs its
steps. The peer is a gRPC server in another process that sleeps and answers with ready bytes, so that only waiting and
transport are measured, not a second network on the same cores. The three ways take turns, for the machine's speed
varies. The last line of the output is JSON; the goal is a value of at least 0.95.
"""

import concurrent.futures
import json
import statistics
import struct
import subprocess
import sys
import time

import grpc
from absl import app, flags

_SERVE = flags.DEFINE_bool("serve", False, "Internal: be the model server, answer read from stdin.")
_ROUNDS = flags.DEFINE_integer("rounds", 4, "Rounds of turns.", lower_bound=1)
_LIMIT_SECS = flags.DEFINE_float("limit_secs", 24.0, "No round starts after so many seconds.")
_STEPS = flags.DEFINE_integer("steps", 25, "Steps timed in a turn.", lower_bound=1)

_METHOD = "/tensorflow.serving.PredictionService/Predict"
_DELAYS_MS = (50, 200)
_BATCH, _FRAMES, _HEIGHT, _WIDTH, _STRIDE = 8, 2, 96, 128, 2
_UNTIMED_STEPS = 11  # more than the batches that a stage holds ready


class _Sleeper(grpc.GenericRpcHandler):
  """Answers every Predict with the same bytes after a while."""

  def __init__(self, answer: bytes, delay_secs: float):
    self._answer = answer
    self._delay_secs = delay_secs

  def service(self, details):
    if details.method != _METHOD:
      return None
    return grpc.unary_unary_rpc_method_handler(self._predict)

  def _predict(self, request, context):
    del request, context
    time.sleep(self._delay_secs)
    return self._answer


def _serve():
  """Serves one delay per port until stdin closes. stdin: length, answer; stdout: a line of ports."""
  length = struct.unpack("<q", sys.stdin.buffer.read(8))[0]
  answer = sys.stdin.buffer.read(length)
  servers, ports = [], []
  for delay in _DELAYS_MS:
    server = grpc.server(
      concurrent.futures.ThreadPoolExecutor(32),
      handlers=[_Sleeper(answer, delay / 1000)],
      options=[("grpc.max_receive_message_length", -1)],
    )
    ports.append(str(server.add_insecure_port("127.0.0.1:0")))
    server.start()
    servers.append(server)
  print(" ".join(ports), flush=True)
  sys.stdin.buffer.read()
  for server in servers:
    server.stop(None)


def _answer_bytes(normals):
  """A PredictResponse as our model server sends it: half precision, as memory."""
  import numpy as np
  from tensorflow_serving.apis import predict_pb2

  from tf_taskology.peers import decoding

  response = predict_pb2.PredictResponse()
  response.model_spec.name, response.model_spec.version.value = "normals", 1
  count = len(normals)
  for name, value in (
    ("normals", normals.astype(np.float16)),
    ("step", np.ones(count, np.int64)),
    ("published_at", np.full(count, time.time())),
  ):
    response.outputs[name].CopyFrom(decoding.to_proto(value))
  return response.SerializeToString()


def _start_server(answer: bytes):
  """The server's process and its ports."""
  process = subprocess.Popen(
    [sys.executable, "-m", "tools.benchmarks.peer_overhead", "--serve"],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
  )
  process.stdin.write(struct.pack("<q", len(answer)) + answer)
  process.stdin.flush()
  return process, process.stdout.readline().split()


def _make_steps():
  """A depth module's training as Keras runs it, with normals as its peer: iterator -> None, _STEPS steps."""
  import tensorflow as tf

  from tf_taskology.consistency import depth_normals
  from tf_taskology.networks import compact
  from tf_taskology.tasks import depth
  from tf_taskology.training import module as module_lib

  tasks = [depth.Depth()]
  network = compact.Compact(output_stride=_STRIDE)(tasks, (_HEIGHT, _WIDTH))
  relation = depth_normals.DepthNormals(weights={"depth": 1.0})
  module = module_lib.Module(
    network, tasks, [relation], name="depth", peer_of={"normals": "normals"}
  )
  module.compile(optimizer=tf.keras.optimizers.Adam(1e-4))
  module.optimizer.build(network.trainable_variables)
  train = module.make_train_function()

  def steps(iterator, count):
    for _ in range(count):
      logs = train(iterator)
    return float(logs["loss"])

  return steps


def _time(steps, iterator) -> float:
  """Seconds per step."""
  steps(iterator, _UNTIMED_STEPS)
  started = time.perf_counter()
  steps(iterator, _STEPS.value)
  return (time.perf_counter() - started) / _STEPS.value


def _batch(random):
  """A batch as a source gives it: labelled images, and mediator images in two frames."""
  import numpy as np

  def part(frames):
    focal = np.array([[_WIDTH, 0, _WIDTH / 2], [0, _WIDTH, _HEIGHT / 2], [0, 0, 1]], np.float32)
    shape = (_BATCH, frames, _HEIGHT, _WIDTH)
    return {
      "image": random.randint(0, 256, (*shape, 3)).astype(np.uint8),
      "intrinsics": np.broadcast_to(focal, (_BATCH, frames, 3, 3)).copy(),
      "sample_id": np.array([f"sample{i}" for i in range(_BATCH)]),
    }

  labels = {"depth": random.uniform(1, 5, (_BATCH, 1, _HEIGHT, _WIDTH, 1)).astype(np.float32)}
  return {"dedicated": {**part(1), "labels": labels}, "mediator": part(_FRAMES)}


def _measure(batch, normals, ports):
  """By delay, pairs of seconds per step: with remote peers, and without, before and after; and the peers' records."""
  import numpy as np
  import tensorflow as tf

  from tf_taskology.datasets import element
  from tf_taskology.peers import peer, policy, served, stage
  from tf_taskology.tasks import surface_normals

  task = surface_normals.SurfaceNormals()
  batches = tf.data.Dataset.from_tensors(batch).repeat()
  info = {
    "available": np.ones(_BATCH, np.float32),
    "step": np.ones(_BATCH, np.int64),
    "published_at": np.ones(_BATCH),
  }
  answers = {"normals": element.unfold_frames(normals, _FRAMES)}
  ready = tf.data.Dataset.from_tensors(
    {**batch, "peers": answers, "peers_info": {"normals": info}}
  ).repeat()
  ways = {0: iter(ready.prefetch(2))}
  stages = []
  for delay, port in zip(_DELAYS_MS, ports, strict=True):
    asked = served.ServedPeer("normals", [f"127.0.0.1:{int(port)}"], peer.outputs_of([task]))
    size = normals.shape[1:3]
    stages.append(stage.PredictionStage([asked], {"normals": policy.Wait(limit_secs=20)}, size))
    ways[delay] = iter(stages[-1](batches))
  steps = _make_steps()
  try:
    turns = [_time(steps, ways[0])]
    times = {delay: [] for delay in _DELAYS_MS}
    started = time.monotonic()
    for turn in range(_ROUNDS.value):
      if turn and time.monotonic() - started > _LIMIT_SECS.value:
        break
      for delay in _DELAYS_MS:
        remote = _time(steps, ways[delay])
        turns.append(_time(steps, ways[0]))
        times[delay].append((remote, sum(turns[-2:]) / 2))
    waiting = {
      delay: s.records["normals"].snapshot() for delay, s in zip(_DELAYS_MS, stages, strict=True)
    }
  finally:
    for s in stages:
      s.close()
  return times, waiting


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  if _SERVE.value:
    _serve()
    return
  # Not at the top: the server's process needs neither TensorFlow nor us.
  import numpy as np

  random = np.random.RandomState(0)
  normals = random.normal(size=(_BATCH * _FRAMES, _HEIGHT // _STRIDE, _WIDTH // _STRIDE, 3))
  normals = (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32)
  process, ports = _start_server(_answer_bytes(normals))
  try:
    times, records = _measure(_batch(random), normals, ports)
  finally:
    process.stdin.close()
    process.wait(10)
  ratios = {}
  for delay in _DELAYS_MS:
    pairs = [ready / remote for remote, ready in times[delay]]
    remote_secs, ready_secs = (statistics.median(t) for t in zip(*times[delay], strict=True))
    ratios[delay] = statistics.median(pairs)
    print(
      f"peer of {delay} ms: {1 / remote_secs:.2f} steps/s, precomputed "
      f"{1 / ready_secs:.2f}, ratio {ratios[delay]:.3f} ({min(pairs):.3f}-{max(pairs):.3f}), "
      f"requests took {1000 * records[delay]['rpc_secs'] / records[delay]['requests']:.0f} ms each"
    )
  result = {
    "benchmark": "peer_overhead",
    "value": round(min(ratios.values()), 4),
    "unit": "ratio",
    "goal": 0.95,
    "ratios": {str(delay): round(ratio, 4) for delay, ratio in ratios.items()},
    "step_ms": round(1000 * ready_secs, 1),
  }
  print(json.dumps(result))


if __name__ == "__main__":
  app.run(main)
