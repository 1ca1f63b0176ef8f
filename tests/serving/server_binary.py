"""The flag that names the server under test, for the test files that any server must pass."""

import os

from absl import flags

FLAG = flags.DEFINE_string(
  "server_binary",
  os.environ.get("SERVER_BINARY"),
  "Program to test; the embedded server if not given.",
)
