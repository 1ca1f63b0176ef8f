"""Uses TensorFlow and gRPC as a trainer does, in a forked process; prints what came out as JSON.

python -m tests.training.fakes.tensorflow_child NUM_THREADS
"""

import concurrent.futures
import json
import os
import random
import sys
import threading

import grpc
import numpy as np
import tensorflow as tf


def main(num_threads):
  tf.config.threading.set_intra_op_parallelism_threads(num_threads)
  result = {
    "answer": _call_server().decode(),
    "random": [random.random(), np.random.rand(), float(tf.random.uniform([]))],
    "loss": _train(),  # Seeds all generators, hence after the line above.
    "num_threads": tf.config.threading.get_intra_op_parallelism_threads(),
    "noise": os.environ["TF_CPP_MIN_LOG_LEVEL"],
    "is_main_thread": threading.current_thread() is threading.main_thread(),
    "main": sys.modules["__main__"].__file__,
  }
  print("RESULT " + json.dumps(result))


def _train():
  tf.keras.utils.set_random_seed(1)
  inputs = tf.random.normal([256, 8])
  labels = tf.reduce_sum(inputs, axis=1, keepdims=True)
  model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
  model.compile(tf.keras.optimizers.Adam(0.05), "mse")
  dataset = tf.data.Dataset.from_tensor_slices((inputs, labels)).cache().shuffle(256).batch(32)
  dataset = dataset.map(lambda x, y: (x, y), num_parallel_calls=4).prefetch(2)
  return model.fit(dataset, epochs=30, verbose=0).history["loss"][-1]


def _call_server():
  class Echo(grpc.GenericRpcHandler):
    def service(self, details):
      return grpc.unary_unary_rpc_method_handler(lambda request, context: request + b" back")

  server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
  server.add_generic_rpc_handlers((Echo(),))
  port = server.add_insecure_port("127.0.0.1:0")
  server.start()
  with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    answer = channel.unary_unary("/echo/echo")(b"there and", timeout=20)
  server.stop(0).wait()
  return answer


if __name__ == "__main__":
  main(int(sys.argv[1]))
