"""Which part of the project may import which: the one table behind visibilities and their test."""

from tools.dev import source_tree

# What each folder of tf_taskology/ may import besides itself, lowest first.
_LAYERS = {
  "geometry": (),
  "tasks": ("geometry",),
  "networks": ("geometry", "tasks"),
  "consistency": ("geometry", "tasks", "networks"),
  "balancing": ("geometry", "tasks"),
  "datasets": ("geometry", "tasks", "networks", "consistency"),
  "peers": ("geometry", "tasks", "networks", "consistency", "datasets"),
  "evaluation": ("geometry", "tasks", "datasets", "peers"),
  "training": (
    "geometry",
    "tasks",
    "networks",
    "consistency",
    "balancing",
    "peers",
    "datasets",
    "evaluation",
  ),
  "prediction": ("geometry", "tasks", "peers", "datasets", "evaluation", "training"),
}
# The programs, directly in tf_taskology/, may import every layer; so may their tests and tools.
_PROGRAMS = "programs"


def layers() -> tuple[str, ...]:
  """Returns the folders of tf_taskology/ that the table knows."""
  return tuple(_LAYERS)


def importers(layer: str) -> list[str]:
  """Returns the other layers that may import `layer`, without the programs."""
  return [name for name, allowed in _LAYERS.items() if layer in allowed]


def _part(module: str) -> tuple[str, str]:
  """Returns (top folder, layer or "") of a module's name."""
  names = module.split(".")
  if names[0] != "tf_taskology":
    return names[0], ""
  return names[0], names[1] if len(names) > 2 else _PROGRAMS


def _complaint(importer: str, imported: str) -> str | None:
  """Returns why one module may not import the other, or None where it may."""
  top, layer = _part(importer)
  other_top, other_layer = _part(imported)
  if top in ("tests", "tools"):
    return "only tests may import tests" if top != "tests" == other_top else None
  if top != other_top:
    return f"{top}/ imports nothing of {other_top}/"
  if layer in (other_layer, _PROGRAMS):
    return None
  if layer not in _LAYERS:
    return f"{layer}/ is no known layer: give it a line in tools/dev/layers.py"
  if other_layer in _LAYERS[layer]:
    return None
  return f"{layer} may import only " + (", ".join(_LAYERS[layer]) or "itself")


def violations(edges: dict[str, set[str]]) -> list[str]:
  """Returns one line for every import that goes the wrong way.

  Args:
    edges: for each module of the project, the project's modules that it imports.
  """
  found = []
  for importer in sorted(edges):
    for imported in sorted(edges[importer]):
      complaint = _complaint(importer, imported)
      if complaint:
        found.append(f"{importer} imports {imported}: {complaint}")
  return found


def circle(edges: dict[str, set[str]]) -> list[str]:
  """Returns the modules of one circle of imports, first and last the same; empty if there is none."""
  done: set[str] = set()

  def visit(module, above):
    if module in above:
      return above[above.index(module) :] + [module]
    if module in done:
      return []
    for imported in sorted(edges.get(module, ())):
      found = visit(imported, above + [module])
      if found:
        return found
    done.add(module)
    return []

  for module in sorted(edges):
    found = visit(module, [])
    if found:
      return found
  return []


def import_edges(tree: source_tree.Tree) -> dict[str, set[str]]:
  """Returns, for each module of the tree, the modules of the tree that it imports."""
  edges = {}
  for module, source in tree.sources.items():
    targets = (resolve(tree, found) for found in source.imports)
    edges[module] = {target.module for target in targets if target}
  return edges


def resolve(tree: source_tree.Tree, found: source_tree.Import) -> source_tree.Source | None:
  """Returns the tree's own source behind an import, or None if the tree has none."""
  if found.name and f"{found.module}.{found.name}" in tree.sources:
    return tree.sources[f"{found.module}.{found.name}"]
  return tree.sources.get(found.module)
