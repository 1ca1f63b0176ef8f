"""Makes or finds the Python environment that Bazel runs the project's programs and tests with.

Prints the path of the environment's `python` on standard output, progress and errors on standard
error. The environment holds exactly `requirements.lock`. It is made once per lock file and Python
version in the user's cache folder, whatever number of checkouts share it:

  ${XDG_CACHE_HOME:-~/.cache}/tf_taskology/python/3.11-<hash of requirements.lock>/

Run by `bazelw` (for its clear messages) and by the repository rule in `python_env.bzl`. Uses the
standard library only, and no syntax newer than Python 3.7, because any Python may start it.

  python3 tools/bazel/python_env.py --lock=requirements.lock
"""

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys

_SUPPORTED = ("3.11", "3.10")
_CANDIDATES = ("python3.11", "python3.10", "python3")
# Debian's Python has the module venv, but without the package python3-venv not ensurepip.
_PROBE = """
import importlib.util, sys
modules = "venv" if all(importlib.util.find_spec(m) for m in ("venv", "ensurepip")) else "none"
print("%d.%d" % sys.version_info[:2], modules)
"""
_MARKER = "complete"


class SetupError(Exception):
  """A problem that the user can solve; its text is the one sentence to show."""


def _version(python):
  """Returns (version such as "3.11", or None; what is wrong with this Python, or "")."""
  try:
    probe = subprocess.run([python, "-c", _PROBE], capture_output=True)
  except OSError as error:
    return None, f"cannot be run ({error.strerror})"
  version, _, modules = probe.stdout.decode().strip().partition(" ")
  if probe.returncode or not version:
    return None, "does not start"
  if version not in _SUPPORTED:
    return version, "is Python " + version
  if modules != "venv":
    return version, f"cannot make environments (on Debian: apt-get install python{version}-venv)"
  return version, ""


def find_python():
  """Returns (path, version) of the first supported Python; only $TASKOLOGY_PYTHON if that is set."""
  wanted = os.environ.get("TASKOLOGY_PYTHON")
  problems = []
  for name in [wanted] if wanted else _CANDIDATES:
    path = shutil.which(name)
    if path is None:
      if wanted:
        problems.append(f"{name}, which is no program")
      continue
    version, problem = _version(path)
    if not problem:
      return path, version
    if version or wanted:
      problems.append(f"{path}, which {problem}")
  raise SetupError(
    f"TensorFlow 2.15 needs Python {' or '.join(sorted(_SUPPORTED))}, but found "
    f"{'; '.join(problems) or 'no Python at all'}: install one, or name one with "
    "TASKOLOGY_PYTHON=/path/to/python3.11"
  )


def _cache_root():
  cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
  return os.path.join(cache, "tf_taskology", "python")


def _is_complete(env):
  """Whether the environment was finished and its base Python still exists."""
  python = os.path.join(env, "bin", "python")
  if not os.path.exists(os.path.join(env, _MARKER)):
    return False
  return subprocess.run([python, "-c", ""], stderr=subprocess.DEVNULL).returncode == 0


def _run(command, log, problem):
  # PYTHONPATH and a user's pip settings for installing elsewhere must not leak into the environment.
  env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET")}
  with open(log, "ab") as stream:
    code = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, env=env).returncode
  if code:
    with open(log, errors="replace") as stream:
      errors = [line.strip() for line in stream if line.startswith("ERROR: ")]
    reason = errors[-1][len("ERROR: ") :] if errors else "no reason given"
    raise SetupError(f"{problem}: {reason} (whole log: {log})")


def _build_tools(lock_text):
  """Returns the lock file's entries of pip and of the packages that build source distributions."""
  entries = re.split(r"\n(?=\S)", lock_text)
  return "\n".join(e for e in entries if re.match(r"(packaging|pip|setuptools|wheel)==", e)) + "\n"


def _install(python, env, lock, log):
  """Makes the environment: first the locked pip and build tools, then everything with them, all hashed."""
  shutil.rmtree(env, ignore_errors=True)
  _run([python, "-m", "venv", env], log, f"Cannot make a Python environment in {env}")
  with open(lock) as stream:
    tools = _build_tools(stream.read())
  tools_path = os.path.join(env, "build_tools.lock")
  with open(tools_path, "w") as stream:
    stream.write(tools)
  pip = [os.path.join(env, "bin", "python"), "-m", "pip", "install", "--quiet", "--no-input"]
  pip += ["--disable-pip-version-check", "--require-hashes"]
  problem = f"Cannot install the Python packages of {lock} (is a package index reachable?)"
  _run(pip + ["-r", tools_path], log, problem)
  _run(pip + ["--no-build-isolation", "-r", lock], log, problem)
  open(os.path.join(env, _MARKER), "w").close()


def ensure_env(lock):
  """Returns the path of the environment's python, making the environment if there is none.

  Processes wait for each other on a lock that ends with its holder; what a killed process left has
  no marker file and is made anew.
  """
  python, version = find_python()
  with open(lock, "rb") as stream:
    digest = hashlib.sha256(stream.read()).hexdigest()[:16]
  env = os.path.join(_cache_root(), f"{version}-{digest}")
  env_python = os.path.join(env, "bin", "python")
  if _is_complete(env):
    return env_python
  os.makedirs(_cache_root(), exist_ok=True)
  with open(env + ".lock", "w") as stream:
    try:
      fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      print("Waiting for another set-up of the Python packages ...", file=sys.stderr, flush=True)
      fcntl.flock(stream, fcntl.LOCK_EX)
    if not _is_complete(env):
      print("Setting up Python packages (once, about 2 minutes) ...", file=sys.stderr, flush=True)
      log = env + ".log"
      if os.path.exists(log):
        os.remove(log)
      _install(python, env, lock, log)
  return env_python


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--lock", required=True, help="path of requirements.lock")
  try:
    print(ensure_env(parser.parse_args().lock))
  except (SetupError, OSError) as error:
    sys.exit(f"ERROR: {error}")


if __name__ == "__main__":
  main()
