r"""Renders a data set of the rooms world, or a picture of what it looks like.

  python -m tf_taskology.render_rooms --data_dir=/tmp/data --domain=sensor --size=48x64 \
    --train=1500 --validation=200 --test=300
  python -m tf_taskology.render_rooms --size=96x128 --preview=/tmp/rooms.png

The first logs its progress and frames a second; the second shows both domains.
"""

from absl import app, flags, logging

from tf_taskology.datasets.rendering import preview as rendering_preview
from tf_taskology.datasets.rooms import preview, render, rooms
from tf_taskology.training import startup

_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS folder to render into, e.g. /tmp/data.")
_DOMAIN = flags.DEFINE_enum("domain", "sensor", render.DOMAINS, "Domain to render.")
_SIZE = flags.DEFINE_string("size", "48x64", "Height x width of the images, pixels.")
_TRAIN = flags.DEFINE_integer("train", 1500, "Training examples of two frames.", lower_bound=1)
_VALIDATION = flags.DEFINE_integer("validation", 200, "Validation examples.", lower_bound=1)
_TEST = flags.DEFINE_integer("test", 300, "Test examples.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the data set.", lower_bound=0)
_NUM_WORKERS = flags.DEFINE_integer(
  "num_workers", 0, "Processes that render; 0: one for each CPU.", lower_bound=0
)
_PREVIEW = flags.DEFINE_string("preview", None, "PNG to write pictures of both domains to.")
_PREVIEW_EXAMPLES = flags.DEFINE_integer(
  "preview_examples", 8, "Examples of each domain in the preview.", lower_bound=1
)


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments {argv[1:]}; this program takes flags only")
  if not (_DATA_DIR.value or _PREVIEW.value):
    raise app.UsageError("nothing to do: give --data_dir, --preview or both")
  try:
    height, width = rendering_preview.parse_size(_SIZE.value)
  except ValueError as error:
    raise app.UsageError(str(error)) from error
  if _PREVIEW.value:
    jobs = [render.Job(domain, height, width, _SEED.value) for domain in render.DOMAINS]
    picture = preview.grid(jobs, _PREVIEW_EXAMPLES.value)
    rendering_preview.save(picture, _PREVIEW.value, height)
    logging.info(
      "preview of %d examples of each domain: %s", _PREVIEW_EXAMPLES.value, _PREVIEW.value
    )
  if _DATA_DIR.value:
    config = rooms.RoomsConfig(
      domain=_DOMAIN.value,
      height=height,
      width=width,
      train=_TRAIN.value,
      validation=_VALIDATION.value,
      test=_TEST.value,
      seed=_SEED.value,
      num_workers=_NUM_WORKERS.value,
    )
    builder = rooms.prepare(config, _DATA_DIR.value)
    logging.info("data set: %s", builder.data_path)


if __name__ == "__main__":
  startup.run(main)
