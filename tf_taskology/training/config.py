"""Reads an experiment's gin files, and says in one sentence what is wrong with them."""

import difflib
import inspect
import os
import re
import sys
from collections.abc import Sequence

import gin
from gin import config as gin_config
from tf_taskology.training import experiment

# Heads a configuration that a run has kept: there, bindings of included files are no different from the file's own.
_KEPT = "# Kept by a run: its own bindings and those of all included files.\n"

# How gin ends its messages.
_PLACE = r'\s*In (?:file "(?P<file>[^"]+)",|bindings string) line (?P<line>\d+)\s*\n(?P<text>.*)\Z'


class ConfigError(ValueError):
  """A configuration that cannot be used. The message is written for the person who wrote it."""


def parse(gin_files: Sequence[str], bindings: Sequence[str] = ()) -> experiment.Collective:
  """Builds the collective that gin files and bindings describe.

  Args:
    gin_files: paths; looked up as they are, in the folder the command was typed in, and in the project.
    bindings: gin bindings such as "STEPS = 500", applied last.

  Raises:
    ConfigError: a file is missing; a configurable, parameter or macro is misspelt; a binding is used by nothing; a
      value makes no sense.
  """
  if not gin_files:
    raise ConfigError(
      "No gin file was given. Name one with --gin_file, e.g. --gin_file=gin/rooms/depth_normals.gin."
    )
  gin.clear_config()
  for folder in search_path():
    gin.add_config_file_search_path(folder)
  for path in gin_files:
    _find(path)
  try:
    gin.parse_config_files_and_bindings(
      [_find(p) for p in gin_files], list(bindings), finalize_config=False
    )
  except (
    ValueError,
    SyntaxError,
    NameError,
    OSError,
    ImportError,
    AttributeError,
    TypeError,
  ) as error:
    raise ConfigError(_explain(error)) from error
  _check_macros([_find(p) for p in gin_files], bindings)
  try:
    with gin.unlock_config():
      collective = gin.get_configurable(experiment.Collective)()
  except ConfigError:
    raise
  except (ValueError, TypeError, OSError, RuntimeError, AttributeError) as error:
    raise ConfigError(_explain(error)) from error
  _check_unused([_find(p) for p in gin_files], bindings)
  return collective


def config_text() -> str:
  """The configuration as parsed, ready to be written beside a run's results."""
  return _KEPT + gin.config_str(max_line_length=100)


def search_path() -> list[str]:
  """Folders in which gin files are looked for."""
  project = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
  folders = (os.environ.get("BUILD_WORKING_DIRECTORY"), os.getcwd(), project)
  return list(dict.fromkeys(f for f in folders if f))


def _find(path: str) -> str:
  candidates = (
    [path] if os.path.isabs(path) else [os.path.join(folder, path) for folder in search_path()]
  )
  for candidate in candidates:
    if os.path.isfile(candidate):
      return candidate
  raise ConfigError(f"The gin file {path!r} does not exist. Looked for: {', '.join(candidates)}.")


def _explain(error: Exception) -> str:
  """The error's own sentence, the nearest valid name where a name was not found, and where it stands."""
  message = str(error).strip()
  place = re.search(_PLACE, message)
  if place is None:
    return _hinted(message)
  where = f"{place['file']}, line {place['line']}" if place["file"] else "--gin_binding"
  return f"{_hinted(message[: place.start()])} ({where}: {place['text'].strip()})"


def _hinted(message: str) -> str:
  unknown = re.search(r"No configurable matching '([^']+)'", message)
  if unknown:
    return f"{message}{_nearest(unknown.group(1), _configurables())}"
  parameter = re.search(
    r"(?:Configurable|configurable) '?([\w./]+)'? doesn't have a parameter named '(\w+)'", message
  )
  parameter = parameter or re.search(
    r"([\w./]+) (?:has no|doesn't have a) parameter named '(\w+)'", message
  )
  if parameter:
    return f"{message}{_nearest(parameter.group(2), _parameters(parameter.group(1)))}"
  macro = re.search(r"macro(?:\.value)?.*?`?%?([A-Z][A-Z_0-9]+)", message)
  if macro and "value" in message and "gin" in message.lower():
    return f"{message}{_nearest(macro.group(1), _macros())}"
  missing = re.search(r"module '?([\w.]+)'? has no attribute '(\w+)'", message)
  if missing and missing.group(1) in sys.modules:
    return f"{message}{_nearest(missing.group(2), dir(sys.modules[missing.group(1)]))}"
  return message


def _nearest(name: str, names) -> str:
  close = difflib.get_close_matches(
    name.split(".")[-1], sorted({n.split(".")[-1] for n in names}), n=3, cutoff=0.6
  )
  return f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""


def _configurables() -> list[str]:
  names = [c.selector for c in _known_configurables()]
  for name, module in list(sys.modules.items()):
    if name.startswith("tf_taskology."):
      names += [
        f"{name}.{attribute}"
        for attribute, value in vars(module).items()
        if isinstance(value, type)
      ]
  return names


def _known_configurables():
  """What gin has registered so far; it has no public list."""
  return [configurable for _, configurable in gin_config._REGISTRY.items()]


def _parameters(selector: str) -> list[str]:
  name = selector.split("/")[-1]
  for module_name, module in list(sys.modules.items()):
    if module_name.startswith("tf_taskology.") and module_name.endswith(
      "." + name.rpartition(".")[0]
    ):
      target = getattr(module, name.rpartition(".")[2], None)
      if target is not None:
        return list(inspect.signature(target).parameters)
  return []


def _macros() -> list[str]:
  return [scope for (scope, selector) in gin_config._CONFIG if selector == "gin.macro"]


def _check_macros(gin_files, bindings):
  """Refuses macros that nothing mentions (a misspelt one makes a new macro, and the run keeps the default), and unset ones."""
  mentioned = set()
  for text in [*_texts(gin_files), *bindings]:
    mentioned |= set(re.findall(r"%([A-Za-z_][\w./]*)", text))
  # A binding that came after a macro's use may have left the macro over in a configuration that a run has kept.
  kept = "".join(_text(path) for path in gin_files if _is_kept(path))
  left_over = set(re.findall(r"(?m)^(\w+)\s*=", kept))
  unused = sorted(m for m in _macros() if m not in mentioned | left_over)
  if unused:
    hints = "".join(_nearest(m, mentioned - {m}) for m in unused)
    raise ConfigError(f"Nothing in the configuration uses the macro {', '.join(unused)}.{hints}")
  unset = sorted(
    scope
    for (scope, _), bound in gin_config._CONFIG.items()
    if repr(bound.get("value")) == "%gin.REQUIRED"
  )
  if unset:
    raise ConfigError(
      f"{', '.join(unset)} must be set, in a gin file or with --gin_binding, e.g. '{unset[0]} = 1000'."
    )


def _is_kept(path):
  with open(path, encoding="utf-8") as file:
    return file.readline() == _KEPT


def _text(path):
  """A gin file without comments."""
  with open(path, encoding="utf-8") as file:
    return re.sub(r"(?m)#.*$", "", file.read())


def _texts(gin_files):
  """The text of gin files and of all that they include, without comments."""
  seen, texts, waiting = set(), [], list(gin_files)
  while waiting:
    path = _find(waiting.pop())
    if path in seen:
      continue
    seen.add(path)
    text = _text(path)
    texts.append(text)
    waiting += re.findall(r"(?m)^\s*include\s+['\"]([^'\"]+)['\"]", text)
  return texts


def _check_unused(gin_files, bindings):
  """Refuses bindings that building the collective did not use.

  Those of included files may be left over: an experiment that takes another data set leaves the old one's unused.
  """
  own = set()
  written = [_text(path) for path in gin_files if not _is_kept(path)]
  for text in [*written, *bindings]:
    for name in re.findall(r"(?m)^\s*([\w./]+\.\w+)\s*=", text):
      scope, _, rest = name.rpartition("/")
      own.add((scope, *rest.split(".")[-2:]))
  unused = []
  for (scope, selector), parameters in gin_config._CONFIG.items():
    if selector in ("gin.macro", "gin.constant"):
      continue
    unused += [
      f"{scope + '/' if scope else ''}{selector}.{p}"
      for p in parameters
      if (scope, selector.split(".")[-1], p) in own and not _used(scope, selector, p)
    ]
  if unused:
    raise ConfigError(
      f"Nothing uses the binding{'s' if len(unused) > 1 else ''} {', '.join(sorted(unused))}: the object is not part of the "
      "collective (is its scope spelt as where it is referred to, or is it missing from a list?)."
    )


def _used(scope, selector, parameter):
  """Whether a binding reached a call: one in the very scope, or in a scope below it."""
  scopes = [
    s
    for (s, used), parameters in gin_config._OPERATIVE_CONFIG.items()
    if used == selector and parameter in parameters
  ]
  return any(
    not scope or s == scope or s.endswith("/" + scope) or s.startswith(scope + "/") for s in scopes
  )
