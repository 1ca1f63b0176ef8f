"""A bucket in place of the volume for model servers: a process that copies published versions to it."""

from collections.abc import Mapping

from serving.deployment import rollout

IMAGE = "google/cloud-sdk:slim"
SCRIPT_NAME = "copy_exports.sh"
SCRIPT = """#!/bin/sh
# Copies published versions to the bucket, and removes there what trainers have removed.
# usage: copy_exports.sh EXPORTS_FOLDER gs://BUCKET/FOLDER/exports [ROUNDS]
exports="$1" bucket="$2" rounds="${3:-0}" round=0
copied="${TMPDIR:-/tmp}/copied"
mkdir -p "$copied"
while :; do
  for version in "$exports"/*/[0-9]*; do
    name="${version#"$exports"/}"
    [ -e "$version/saved_model.pb" ] && [ ! -e "$copied/$name" ] || continue
    # saved_model.pb goes last: a model server refuses the version, and looks again, until it is there.
    gcloud storage rsync --recursive --exclude='^saved_model[.]pb$' "$version" "$bucket/$name" &&
      gcloud storage cp "$version/saved_model.pb" "$bucket/$name/saved_model.pb" &&
      mkdir -p "$copied/$name" && echo "copied $name"
  done
  for version in "$copied"/*/[0-9]*; do
    name="${version#"$copied"/}"
    [ -e "$version" ] && [ ! -e "$exports/$name" ] || continue
    gcloud storage rm --recursive "$bucket/$name" && rmdir "$version" && echo "removed $name"
  done
  round=$((round + 1))
  [ "$round" = "$rounds" ] && exit 0
  sleep 5
done
"""


def deployment(made: rollout.Rollout, labels: Mapping[str, str], claim: str) -> dict:
  """The Deployment that runs the script."""
  return {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": f"{made.name}-copier", "labels": dict(labels)},
    "spec": {
      "replicas": 1,
      "strategy": {"type": "Recreate"},
      "selector": {"matchLabels": dict(labels)},
      "template": {
        "metadata": {"labels": dict(labels)},
        "spec": {
          **({"serviceAccountName": made.service_account} if made.service_account else {}),
          "containers": [_container(made)],
          "volumes": [
            {"name": "config", "configMap": {"name": f"{made.name}-config"}},
            {
              "name": "run",
              "persistentVolumeClaim": {"claimName": claim, "readOnly": True},
            },
          ],
        },
      },
    },
  }


def _container(made):
  exports = f"{made.work_dir}/exports"
  return {
    "name": "copier",
    "image": IMAGE,
    "command": ["sh", f"{rollout.CONFIG_DIR}/{SCRIPT_NAME}"],
    "args": [exports, f"{made.storage.bucket}/exports"],
    "resources": {
      "requests": {"cpu": "100m", "memory": "256Mi"},
      "limits": {"memory": "512Mi"},
    },
    "volumeMounts": [
      {"name": "config", "mountPath": rollout.CONFIG_DIR, "readOnly": True},
      {"name": "run", "mountPath": rollout.DATA_DIR, "readOnly": True},
    ],
  }
