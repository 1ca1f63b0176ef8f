"""A model server without models: listens on its port until SIGTERM."""

import argparse
import socket


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument("--port", type=int)
  flags, _ = parser.parse_known_args()
  with socket.socket() as listener:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", flags.port))
    listener.listen()
    print(f"listening on {flags.port}", flush=True)
    while True:
      listener.accept()[0].close()


if __name__ == "__main__":
  main()
