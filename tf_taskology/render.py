r"""Renders a data set of an embedded world, or a picture of what the world looks like.

  python -m tf_taskology.render --world=rooms --data_dir=/tmp/data --domain=sensor --size=48x64 \
    --train=1500 --validation=200 --test=300
  python -m tf_taskology.render --world=streets --size=128x416 --preview=/tmp/streets.png
  python -m tf_taskology.render --world=sweeps --beams=64 --azimuths=1024 --preview=/tmp/sweeps.png

The first logs its progress and frames a second; the second shows every domain of the world. What a
flag leaves out is as in the world's configuration (`RoomsConfig`, `StreetsConfig`,
`SweepsConfig`).
"""

import dataclasses
import types

from absl import app, flags, logging

from tf_taskology.datasets.rendering import builder, preview
from tf_taskology.datasets.rooms import preview as rooms_preview, rooms
from tf_taskology.datasets.streets import preview as streets_preview, streets
from tf_taskology.datasets.sweeps import preview as sweeps_preview, sweeps
from tf_taskology.training import startup


@dataclasses.dataclass(frozen=True)
class _World:
  builder: type[builder.WorldBuilder]
  config: type[builder.WorldConfig] | type[sweeps.SweepsConfig]
  preview: types.ModuleType


_WORLDS = {
  "rooms": _World(rooms.Rooms, rooms.RoomsConfig, rooms_preview),
  "streets": _World(streets.Streets, streets.StreetsConfig, streets_preview),
  "sweeps": _World(sweeps.Sweeps, sweeps.SweepsConfig, sweeps_preview),
}
_WORLD = flags.DEFINE_enum("world", None, sorted(_WORLDS), "World to render.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS folder to render into, e.g. /tmp/data.")
_SIZE = flags.DEFINE_string("size", None, "Height x width of the images, pixels, e.g. 48x64.")
_PREVIEW = flags.DEFINE_string("preview", None, "PNG to write pictures of every domain to.")
_PREVIEW_EXAMPLES = flags.DEFINE_integer(
  "preview_examples", 4, "Examples of each domain in the preview.", lower_bound=1
)
_FIELDS = (
  flags.DEFINE_string(
    "domain", None, "Domain to render: simulated or sensor of rooms; street or stills of streets."
  ),
  flags.DEFINE_integer("train", None, "Training examples.", lower_bound=1),
  flags.DEFINE_integer("validation", None, "Validation examples.", lower_bound=1),
  flags.DEFINE_integer("test", None, "Test examples.", lower_bound=1),
  flags.DEFINE_integer(
    "frames", None, "Consecutive frames of an example of domain street, or sweeps.", lower_bound=1
  ),
  flags.DEFINE_float(
    "noise", None, "Sensor noise of streets, of a full scale of 1, or of sweeps, metres; 0: none."
  ),
  flags.DEFINE_integer("beams", None, "Beams of the sensor of sweeps.", lower_bound=1),
  flags.DEFINE_integer("azimuths", None, "Directions of its turn.", lower_bound=1),
  flags.DEFINE_float("interval", None, "Seconds between two sweeps.", lower_bound=1e-3),
  flags.DEFINE_integer("seed", None, "Seed of the data set.", lower_bound=0),
  flags.DEFINE_integer(
    "num_workers", None, "Processes that render; 0: one for each CPU.", lower_bound=0
  ),
)


def _config(world: _World, **fixed):
  """The data set that the flags ask for. Raises UsageError where they ask for none."""
  given = {flag.name: flag.value for flag in _FIELDS if flag.value is not None} | fixed
  foreign = sorted(given.keys() - {field.name for field in dataclasses.fields(world.config)})
  if foreign:
    raise app.UsageError(f"--{foreign[0]} says nothing about --world={_WORLD.value}")
  if _SIZE.value and not _has_domains(world):
    raise app.UsageError(f"--size says nothing about --world={_WORLD.value}")
  try:
    if _SIZE.value:
      given["height"], given["width"] = preview.parse_size(_SIZE.value)
    return world.config(**given)
  except ValueError as error:
    raise app.UsageError(str(error)) from error


def _has_domains(world: _World) -> bool:
  """Whether a world is one of pictures, in several domains."""
  return hasattr(world.builder.RENDERER, "DOMAINS")


def _write_preview(world: _World) -> None:
  """Draws examples of every domain."""
  if not _has_domains(world):
    picture = world.preview.grid([_config(world).job()], _PREVIEW_EXAMPLES.value)
    preview.save(picture, _PREVIEW.value, len(picture))
    logging.info("preview of %d examples: %s", _PREVIEW_EXAMPLES.value, _PREVIEW.value)
    return
  stills = {"stills": {"frames": 1}}  # whatever --frames says of the other domain
  configs = [
    _config(world, domain=domain, **stills.get(domain, {}))
    for domain in world.builder.RENDERER.DOMAINS
  ]
  picture = world.preview.grid([config.job() for config in configs], _PREVIEW_EXAMPLES.value)
  preview.save(picture, _PREVIEW.value, configs[0].height)
  logging.info("preview of %d examples of each domain: %s", _PREVIEW_EXAMPLES.value, _PREVIEW.value)


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments {argv[1:]}; this program takes flags only")
  if not _WORLD.value:
    raise app.UsageError(f"no world: give --world, one of {', '.join(sorted(_WORLDS))}")
  if not (_DATA_DIR.value or _PREVIEW.value):
    raise app.UsageError("nothing to do: give --data_dir, --preview or both")
  world = _WORLDS[_WORLD.value]
  config = _config(world)
  if _PREVIEW.value:
    _write_preview(world)
  if _DATA_DIR.value:
    prepared = builder.prepare(world.builder, config, _DATA_DIR.value)
    logging.info("data set: %s", prepared.data_path)


if __name__ == "__main__":
  startup.run(main)
