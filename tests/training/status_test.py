"""Status files: what is written comes back, and what is no status counts as none."""

import json
import os
import threading

from absl.testing import absltest, parameterized

from tf_taskology.training import status


class StatusTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = os.path.join(self.create_tempdir().full_path, "depth")
    self.path = os.path.join(self.folder, status.FILE_NAME)

  def test_comes_back_as_written(self):
    peer = status.PeerStatus(400, 3.5, 20, 0.1, 12.1, 100, 2, 1, "skip", "127.0.0.1:1")
    written = status.Status(
      "depth", 123, "training", "", 420, 2000, 100, 14.2, 111.0, {"loss": 0.3}, 0.01, 1.7e9,
      {"normals": peer},
    )  # fmt: skip
    written.write(self.folder)
    self.assertEqual(status.read(self.folder), written)
    self.assertEqual(os.listdir(self.folder), [status.FILE_NAME])

  def test_file_has_the_fields_that_other_programs_read(self):
    status.Status("depth", losses={"loss": 0.5}).write(self.folder)
    with open(self.path) as file:
      fields = json.load(file)
    self.assertEqual((fields["module"], fields["pid"]), ("depth", os.getpid()))
    self.assertEqual((fields["state"], fields["losses"]), ("starting", {"loss": 0.5}))

  def test_is_none_before_the_first(self):
    self.assertIsNone(status.read(self.folder))

  @parameterized.parameters("", "{", "[1]", '{"step": 3}', '{"module": "depth", "state": "odd"}')
  def test_is_none_when_the_file_is_no_status(self, text):
    os.makedirs(self.folder)
    with open(self.path, "w") as file:
      file.write(text)
    self.assertIsNone(status.read(self.folder))

  def test_leaves_out_fields_that_it_does_not_know(self):
    os.makedirs(self.folder)
    with open(self.path, "w") as file:
      json.dump({"module": "depth", "new": 1, "peers": {"normals": {"version": 3, "new": 1}}}, file)
    read = status.read(self.folder)
    self.assertEqual((read.module, read.peers["normals"].version), ("depth", 3))

  def test_refuses_an_unknown_state(self):
    with self.assertRaisesRegex(ValueError, "Status.state must be one of .* Received: 'odd'"):
      status.Status("depth", state="odd")

  def test_is_never_half_written(self):
    losses = {f"term_{i}": 1.0 for i in range(2000)}
    status.Status("depth", losses=losses).write(self.folder)
    stop = threading.Event()

    def write():
      while not stop.is_set():
        status.Status("depth", losses=losses).write(self.folder)

    writer = threading.Thread(target=write)
    writer.start()
    try:
      for _ in range(100):
        self.assertLen(status.read(self.folder).losses, 2000)
    finally:
      stop.set()
      writer.join()


if __name__ == "__main__":
  absltest.main()
