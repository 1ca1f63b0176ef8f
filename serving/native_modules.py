"""Native modules of the installed TensorFlow package, loaded without its Python library."""

import functools
import importlib.util
import os
import sys
import types
from importlib import machinery

from serving import lazy_tensorflow, tf_library


@functools.cache
def load(path: str) -> types.ModuleType:
  """Loads an extension module; once per process, and not if TensorFlow's Python library has.

  Args:
    path: of the module below the package, without ".so".

  Raises:
    ImportError: if it is not there or cannot be loaded.
  """
  if (loaded := sys.modules.get(f"tensorflow.{path.replace('/', '.')}")) is not None:
    return loaded
  tf_library.load()  # the libraries that it is linked with
  folder = os.path.dirname(lazy_tensorflow.package_spec().origin)
  name = os.path.basename(path)
  file = os.path.join(folder, f"{path}.so")
  loader = machinery.ExtensionFileLoader(name, file)
  spec = importlib.util.spec_from_file_location(name, file, loader=loader)
  module = importlib.util.module_from_spec(spec)
  loader.exec_module(module)
  return module
