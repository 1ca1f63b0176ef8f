r"""Writes what runs a collective in production: model servers' configuration, Docker Compose, Kubernetes manifests.

  ./bazelw run //serving:deploy -- --gin_file=gin/rooms/depth_normals.gin --output_dir=/data/rooms \
    --workers=normals=2 --cpu=normals=4 --replicas=depth=2

docs/production.md walks through it. Amounts are for all modules ("--cpu=4") or for one ("--cpu=normals=4").
"""
# bazel: deps=//tf_taskology/training:describe_plan //gin:experiments

import os
import re
import sys

from absl import app, flags

from serving.deployment import amounts, output, plan, rollout

_GIN_FILE = flags.DEFINE_multi_string(
  "gin_file", [], "Gin file of the experiment. May be given several times."
)
_GIN_BINDING = flags.DEFINE_multi_string(
  "gin_binding", [], 'Gin binding, e.g. "STEPS = 500". Beats the files. May be given several times.'
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for what is written.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Write into a folder that is not empty.")
_NAME = flags.DEFINE_string(
  "name", None, "Name of the deployment, e.g. rooms; default the last gin file's."
)
_PEER = flags.DEFINE_multi_string(
  "peer", [], "A model served elsewhere that modules need: name=host:port[,host:port]."
)
_AMOUNTS = {
  "replicas": flags.DEFINE_multi_string("replicas", [], "Model servers of a module."),
  "workers": flags.DEFINE_multi_string("workers", [], "Processes that train a module together."),
  "cpu": flags.DEFINE_multi_string("cpu", [], "Processors of each worker."),
  "memory": flags.DEFINE_multi_string("memory", [], "Memory of each worker, e.g. 4Gi."),
  "gpus": flags.DEFINE_multi_string("gpus", [], "GPUs of each worker."),
  "server_cpu": flags.DEFINE_multi_string("server_cpu", [], "Processors of each model server."),
  "server_memory": flags.DEFINE_multi_string("server_memory", [], "Memory of each model server."),
  "server_gpus": flags.DEFINE_multi_string("server_gpus", [], "GPUs of each model server."),
}
_TRAINER_IMAGE = flags.DEFINE_string(
  "trainer_image", "tf-taskology:latest", "Container image of this project (its Dockerfile)."
)
_SERVER_IMAGE = flags.DEFINE_string(
  "server_image", "tensorflow/serving:2.15.1", "Container image of TensorFlow Serving."
)
_BATCHING = flags.DEFINE_bool(
  "batching", True, "Model servers run requests together. Not for clients that send images of several sizes at once."
)  # fmt: skip
_STORAGE = flags.DEFINE_string("storage", "20Gi", "Kubernetes: size of the volume claim.")
_STORAGE_CLASS = flags.DEFINE_string(
  "storage_class", None, "Kubernetes: its storage class; must allow ReadWriteMany."
)
_VOLUME_CLAIM = flags.DEFINE_string(
  "volume_claim", None, "Kubernetes: an existing claim in place of a new one."
)
_BUCKET = flags.DEFINE_string(
  "bucket", None, "Kubernetes: model servers read from gs://bucket/folder, to which versions are copied."
)  # fmt: skip
_DATA_DIR = flags.DEFINE_string(
  "data_dir", None, "Folder of training data, as the gin file names it."
)
_DATA_CLAIM = flags.DEFINE_string(
  "data_claim", None, "Kubernetes: claim that holds --data_dir; default that folder of each node."
)
_SERVICE_ACCOUNT = flags.DEFINE_string(
  "service_account", None, "Kubernetes: service account of all pods."
)


def _name() -> str:
  """A name that a cluster accepts, made of the last gin file's."""
  stem = os.path.splitext(os.path.basename(_GIN_FILE.value[-1]))[0] if _GIN_FILE.value else "run"
  return _NAME.value or re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "run"


def _peers() -> dict[str, str]:
  peers = {}
  for value in _PEER.value:
    name, equals, addresses = value.partition("=")
    if not (name and equals and re.fullmatch(r"[^\s:,]+:[0-9]+(,[^\s:,]+:[0-9]+)*", addresses)):
      raise plan.DeployError(
        f"--peer must have the form name=host:port[,host:port]. Received: {value!r}."
      )
    peers[name] = addresses
  return peers


def _rollout() -> rollout.Rollout:
  elsewhere = _peers()
  storage = rollout.Storage(
    _STORAGE.value, _STORAGE_CLASS.value, _VOLUME_CLAIM.value, _BUCKET.value
  )
  data = rollout.Data(_DATA_DIR.value, _DATA_CLAIM.value)
  given = {field: flag.value for field, flag in _AMOUNTS.items()}
  several = any(value.rpartition("=")[2] not in ("0", "1") for value in given["workers"])
  collective = plan.read(_GIN_FILE.value, _GIN_BINDING.value, several)
  return rollout.Rollout(
    name=_name(),
    collective=collective,
    amounts=amounts.read({module.name: module.cpu_share for module in collective.modules}, given),
    elsewhere=elsewhere,
    trainer_image=_TRAINER_IMAGE.value,
    server_image=_SERVER_IMAGE.value,
    batching=_BATCHING.value,
    storage=storage,
    data=data,
    service_account=_SERVICE_ACCOUNT.value,
  )


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  try:
    output.check(_OUTPUT_DIR.value, _OVERWRITE.value)
    texts = output.files(_rollout())
    output.write(_OUTPUT_DIR.value, texts)
  except plan.DeployError as error:
    print(f"Error: {error}", file=sys.stderr)
    sys.exit(2)
  for name in sorted(texts):
    print(os.path.join(_OUTPUT_DIR.value, name))


if __name__ == "__main__":
  flags.mark_flag_as_required("output_dir")
  # `bazel run` starts programs elsewhere than where the command was typed.
  os.chdir(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
  app.run(main)
