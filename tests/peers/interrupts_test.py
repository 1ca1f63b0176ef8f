"""Tests of peers/interrupts.py: Ctrl-C while TensorFlow waits for a dead peer."""

# bazel: deps=//tests/peers:fake_server //tf_taskology/peers:peer //tf_taskology/peers:policy //tf_taskology/peers:stage

import os
import signal
import subprocess
import sys
import time

from absl.testing import absltest

from tf_taskology.peers import interrupts

_TRAIN = """
import signal
import threading
import tensorflow as tf
from tests.peers import fake_server
from tf_taskology.peers import interrupts, peer, policy, stage

heard = threading.Event()
signal.signal(signal.SIGINT, lambda *unused: heard.set())
dead = fake_server.FakePeer(script=[peer.PeerUnreachable("down")] * 10**6)
batches = tf.data.Dataset.from_tensors({"mediator": {"image": tf.zeros([1, 1, 4, 6, 3], tf.uint8)}})
made = stage.PredictionStage([dead], {"depth": policy.Wait()}, (2, 3))
with made, interrupts.closing_on_signals(made.close):
  print("waiting", flush=True)
  for batch in made(batches.repeat()):
    print("got a batch")
  print("ended, signal heard:", heard.wait(10))
"""


class InterruptsTest(absltest.TestCase):
  def test_ctrl_c_while_waiting_for_a_dead_peer(self):
    process = subprocess.Popen(
      [sys.executable, "-c", _TRAIN],
      env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    try:
      self.assertEqual(process.stdout.readline(), "waiting\n")
      time.sleep(1.0)
      self.assertIsNone(process.poll())
      process.send_signal(signal.SIGINT)
      output, errors = process.communicate(timeout=60)
    finally:
      process.kill()
    self.assertEqual(output, "ended, signal heard: True\n", errors)
    self.assertEqual(process.returncode, 0, errors)

  def test_the_previous_descriptor_is_restored(self):
    calls = []
    with interrupts.closing_on_signals(lambda: calls.append(1), [signal.SIGUSR1]):
      previous = signal.signal(signal.SIGUSR1, lambda *unused: None)
      os.kill(os.getpid(), signal.SIGUSR1)
      deadline = time.monotonic() + 5
      while not calls and time.monotonic() < deadline:
        time.sleep(0.01)
      signal.signal(signal.SIGUSR1, previous)
    self.assertEqual(calls, [1])
    self.assertEqual(signal.set_wakeup_fd(-1), -1)


if __name__ == "__main__":
  absltest.main()
