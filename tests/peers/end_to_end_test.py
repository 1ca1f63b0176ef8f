"""Publishing, our model server and the prediction stage together."""

# bazel: deps=//serving:model_server

import os
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf

from tests.peers import tiny_network
from tf_taskology.peers import peer, policy, publishing, served, stage


class EndToEndTest(tf.test.TestCase):
  def start_server(self, export_dir):
    """Starts the embedded model server; gives its address."""
    port_file = os.path.join(self.create_tempdir().full_path, "port")
    process = subprocess.Popen(
      [sys.executable, "-m", "serving.model_server", "--port=auto", f"--port_file={port_file}"]
      + ["--model_name=tiny", f"--model_base_path={export_dir}", "--wait_for_models=false"],
      env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    self.addCleanup(process.wait)
    self.addCleanup(process.terminate)
    deadline = time.monotonic() + 30
    while not os.path.exists(port_file):
      self.assertLess(time.monotonic(), deadline)
      self.assertIsNone(process.poll())
      time.sleep(0.05)
    with open(port_file) as file:
      return f"127.0.0.1:{int(file.read())}"

  def test_versions_reach_the_batches(self):
    export_dir = os.path.join(self.create_tempdir().full_path, "tiny")
    publisher = publishing.Publisher(export_dir)
    publisher.check_writable()
    address = self.start_server(export_dir)
    network = tiny_network.build()
    asked = served.ServedPeer("tiny", [address], peer.outputs_of(tiny_network.tasks()))
    made = stage.PredictionStage([asked], {"tiny": policy.Wait()}, (4, 6), parallel_calls=2)
    images = np.random.RandomState(0).randint(0, 256, (2, 2, *tiny_network.SIZE, 3)).astype("u1")
    with made:
      publisher.publish(network, tiny_network.tasks(), 3)
      made.check()
      dataset = made(tf.data.Dataset.from_tensors({"mediator": {"image": images}}).repeat())
      iterator = iter(dataset)
      self.assert_answers(next(iterator), network, images, 3)
      network.set_weights([w + 0.1 for w in network.get_weights()])
      publisher.publish(network, tiny_network.tasks(), 9)
      deadline = time.monotonic() + 30
      batch = next(iterator)
      while batch["peers_info"]["tiny"]["step"][0] != 9:
        self.assertLess(time.monotonic(), deadline)
        time.sleep(0.05)
        batch = next(iterator)
      self.assert_answers(batch, network, images, 9)
      snapshot = made.records["tiny"].snapshot()
    self.assertEqual(snapshot["version"], 9)
    self.assertEqual(snapshot["failures"], 0)
    self.assertLess(snapshot["staleness_secs"], 60)

  def assert_answers(self, batch, network, images, step):
    expected = tiny_network.predict(network, images.reshape(-1, *images.shape[2:]))
    for name, value in expected.items():
      got = batch["peers"][name]
      self.assertAllClose(got, value.reshape(got.shape), rtol=2e-3, atol=2e-3)
    self.assertAllEqual(batch["peers_info"]["tiny"]["step"], [step, step])
    self.assertAllEqual(batch["peers_info"]["tiny"]["available"], [1, 1])


if __name__ == "__main__":
  tf.test.main()
