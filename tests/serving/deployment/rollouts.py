"""Deployments for tests, without gin files."""

from serving.deployment import amounts, plan, rollout

MODULES = (
  plan.Module("depth", ("surface_normals",), ("depth",), 16, "multi_worker_mirrored", 1.0),
  plan.Module(
    "surface_normals", ("depth", "teacher"), ("normals",), 16, "multi_worker_mirrored", 1.0
  ),
)
NAMES = tuple(module.name for module in MODULES)
TEACHER = "10.0.0.9:8500,10.0.0.8:8500"
# Name -> flags and fields, for tests that go over all kinds of deployments.
KINDS = {
  "plain": ({}, {}),
  "workers": ({"workers": ["surface_normals=2"], "cpu": ["surface_normals=4"]}, {}),
  "replicas": ({"replicas": ["depth=3"], "server_cpu": ["0.5"], "server_memory": ["512Mi"]}, {}),
  "gpus": ({"gpus": ["1"], "server_gpus": ["depth=1"]}, {"batching": False}),
  "bucket": (
    {},
    {"storage": rollout.Storage(bucket="gs://models/a-b"), "service_account": "writer"},
  ),
  "claims": (
    {"workers": ["4"]},
    {
      "storage": rollout.Storage(claim="shared"),
      "data": rollout.Data("/data/frames", "frames"),
    },
  ),
  "class": (
    {},
    {
      "storage": rollout.Storage(size="1Ti", storage_class="fast"),
      "data": rollout.Data("/data/frames"),
    },
  ),
}


def collective(**fields) -> plan.Collective:
  """Two modules that ask each other, and a model from elsewhere."""
  defaults = {
    "modules": MODULES,
    "steps": 2000,
    "largest_request": 48,
    "mediator_batch_size": 16,
    "tls_root_certificates": None,
    "config": "# The configuration.\nSTEPS = 2000\n",
  }
  return plan.Collective(**{**defaults, **fields})


def make(flags=None, **fields) -> rollout.Rollout:
  """A deployment.

  Args:
    flags: see `amounts.read`.
    **fields: of `rollout.Rollout`.
  """
  defaults = {
    "name": "rooms",
    "collective": collective(),
    "amounts": amounts.read(dict.fromkeys(NAMES, 1.0), flags or {}),
    "elsewhere": {"teacher": TEACHER},
  }
  return rollout.Rollout(**{**defaults, **fields})


def kind(name: str) -> rollout.Rollout:
  """One of `KINDS`."""
  flags, fields = KINDS[name]
  return make(flags, **fields)
