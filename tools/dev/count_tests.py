"""Counts the test cases of one Bazel run and shows the logs of those that failed.

Reads the run's build events (bazel --build_event_json_file=...), which name the test.xml and the
log of every target and shard, cached ones too. The last line is "N passed, N failed", with
", N skipped" behind it where there were any. Ends with 1 if anything failed.

  python3 tools/dev/count_tests.py --events=/tmp/events.json
"""

import argparse
import dataclasses
import json
import pathlib
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree

_LOG_LINES = 120


@dataclasses.dataclass
class Counts:
  """Test cases by outcome, and the logs of the targets that failed."""

  passed: int = 0
  failed: int = 0
  skipped: int = 0
  logs: dict[str, pathlib.Path] = dataclasses.field(default_factory=dict)


def _path(outputs, name: str) -> pathlib.Path | None:
  for output in outputs:
    if output["name"] == name and "uri" in output:
      return pathlib.Path(urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path))
  return None


def count_cases(xml: str) -> Counts:
  """Returns the counts of one test.xml.

  A case's sub-tests, which the file lists beside it as "name [sub-test]", are no cases of their own
  but make it fail. TensorFlow adds to every class a case `test_session` that does not run; it
  counts as nothing.
  """
  outcomes: dict[tuple[str, str], set[str]] = {}
  for case in ElementTree.fromstring(xml).iter("testcase"):
    key = (case.get("classname", ""), case.get("name", "").split(" ")[0])
    if case.find("failure") is not None or case.find("error") is not None:
      outcome = "failed"
    elif case.get("status") == "notrun" or case.find("skipped") is not None:
      outcome = "skipped"
    else:
      outcome = "passed"
    outcomes.setdefault(key, set()).add(outcome)
  counts = Counts()
  for (_, name), found in outcomes.items():
    if "failed" in found:
      counts.failed += 1
    elif "passed" in found:
      counts.passed += 1
    elif name != "test_session":
      counts.skipped += 1
  return counts


def _add_result(counts: Counts, label: str, result: dict):
  """Adds one run of one target's shard."""
  outputs = result.get("testActionOutput", [])
  xml = _path(outputs, "test.xml")
  found = Counts()
  if xml and xml.exists():
    try:
      found = count_cases(xml.read_text(errors="replace"))
    except ElementTree.ParseError:
      found = Counts()
  if result["status"] not in ("PASSED", "FLAKY"):
    # A target that died or ran out of time may have written no case that says so.
    found.failed = max(found.failed, 1)
    counts.logs[label] = _path(outputs, "test.log")
  counts.passed += found.passed
  counts.failed += found.failed
  counts.skipped += found.skipped


def count_run(events: list[dict]) -> Counts:
  """Returns the counts of a whole run; a target that could not be built counts as one failure."""
  counts, last = Counts(), {}
  for event in events:
    key = event.get("id", {})
    if "testResult" in event:
      run = key["testResult"]
      # Of several attempts at a flaky shard the last one counts.
      last[run["label"], run.get("shard", 0), run.get("run", 0)] = event["testResult"]
    elif "targetCompleted" in key and not event.get("completed", {}).get("success"):
      counts.failed += 1
      counts.logs[key["targetCompleted"]["label"] + " (not built)"] = None
    elif "unconfiguredLabel" in key or ("pattern" in key and "aborted" in event):
      counts.failed += 1
  for (label, shard, _), result in last.items():
    _add_result(counts, f"{label}, shard {shard}" if shard else label, result)
  return counts


def _show_log(label: str, path: pathlib.Path | None):
  print(f"==== {label}")
  if path and path.exists():
    lines = path.read_text(errors="replace").splitlines()
    if len(lines) > _LOG_LINES:
      print(f"... the first {len(lines) - _LOG_LINES} lines are in {path}")
    print("\n".join(lines[-_LOG_LINES:]))


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--events", required=True, type=pathlib.Path)
  lines = parser.parse_args().events.read_text().splitlines()
  counts = count_run([json.loads(line) for line in lines if line])
  for label, path in sorted(counts.logs.items()):
    _show_log(label, path)
  if not counts.passed + counts.failed:
    counts.failed = 1
    print("No test ran.")
  skipped = f", {counts.skipped} skipped" if counts.skipped else ""
  print(f"{counts.passed} passed, {counts.failed} failed{skipped}")
  sys.exit(bool(counts.failed))


if __name__ == "__main__":
  main()
