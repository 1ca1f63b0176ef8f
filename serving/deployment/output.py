"""All files of a deployment, and the folder in which they are written."""

import os

from serving.deployment import compose, guide, kubernetes, plan, rollout, server_configs, yaml_text

MODELS_FILE = "models.config"


def files(made: rollout.Rollout) -> dict[str, str]:
  """Path below the output folder -> text."""
  names = [module.name for module in made.collective.modules]
  heading = f"The collective {made.name} with Docker Compose: docker compose up"
  found = {
    **compose.configs(made),
    MODELS_FILE: server_configs.models(made, names),
    compose.FILE: yaml_text.dump([compose.document(made)], heading),
    guide.FILE: guide.text(made),
  }
  for name, (what, documents) in kubernetes.files(made).items():
    found[f"{kubernetes.FOLDER}/{name}"] = yaml_text.dump(documents, what)
  return found


def write(folder: str, texts: dict[str, str], overwrite: bool) -> None:
  """Writes the files.

  Args:
    folder: made if need be.
    texts: path below it -> text.
    overwrite: whether it may hold something already. Manifests of an earlier time are removed, for all in that folder
      are applied; other files stay.

  Raises:
    DeployError: the folder holds something, or cannot be written.
  """
  try:
    if os.path.isdir(folder) and os.listdir(folder) and not overwrite:
      raise plan.DeployError(
        f"The output folder {folder!r} is not empty. Choose another --output_dir, or give --overwrite."
      )
    _remove_manifests(os.path.join(folder, kubernetes.FOLDER))
    for name, text in texts.items():
      path = os.path.join(folder, name)
      os.makedirs(os.path.dirname(path), exist_ok=True)
      with open(path, "w", encoding="utf-8") as file:
        file.write(text)
  except OSError as error:
    raise plan.DeployError(f"Cannot write to {folder!r}: {error.strerror}.") from error


def _remove_manifests(folder):
  for name in os.listdir(folder) if os.path.isdir(folder) else ():
    if name.endswith(".yaml"):
      os.remove(os.path.join(folder, name))
