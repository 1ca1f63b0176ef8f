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


def check(folder: str, overwrite: bool) -> None:
  """Makes sure that a folder may be written.

  Args:
    folder: need not exist.
    overwrite: whether it may hold something already.

  Raises:
    DeployError: it holds something.
  """
  if os.path.isdir(folder) and os.listdir(folder) and not overwrite:
    raise plan.DeployError(
      f"The output folder {folder!r} is not empty. Choose another --output_dir, or give --overwrite."
    )


def write(folder: str, texts: dict[str, str]) -> None:
  """Writes the files, in place of what is there.

  Manifests of an earlier time are removed, for all in their folder are applied; other files stay.

  Args:
    folder: made if need be.
    texts: path below it -> text.

  Raises:
    DeployError: the folder cannot be written.
  """
  try:
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
