"""Manifests as YAML: in the order they were made, texts of several lines as they are."""

from collections.abc import Iterable, Mapping

import yaml


class _Dumper(yaml.SafeDumper):
  """Lists indented under their key, no aliases."""

  def increase_indent(self, flow=False, indentless=False):
    return super().increase_indent(flow, False)

  def ignore_aliases(self, data):
    return True


def _text(dumper, text):
  style = "|" if "\n" in text else None
  return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dump(documents: Iterable[Mapping], heading: str) -> str:
  """Documents as one file that begins with a comment."""
  bodies = [
    yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
    for document in documents
  ]
  return f"# {heading}\n" + "---\n".join(bodies)
