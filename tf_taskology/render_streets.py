r"""Renders a data set of the streets world, or a picture of what it looks like.

  python -m tf_taskology.render_streets --data_dir=/tmp/data --domain=street --size=64x208 \
    --train=1000 --validation=100 --test=200
  python -m tf_taskology.render_streets --size=128x416 --preview=/tmp/streets.png

The first logs its progress and frames a second; the second shows both domains.
"""

from absl import app, flags, logging

from tf_taskology.datasets.rendering import preview as rendering_preview
from tf_taskology.datasets.streets import preview, render, streets
from tf_taskology.training import startup

_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS folder to render into, e.g. /tmp/data.")
_DOMAIN = flags.DEFINE_enum("domain", "street", render.DOMAINS, "Domain to render.")
_SIZE = flags.DEFINE_string("size", "128x416", "Height x width of the images, pixels.")
_TRAIN = flags.DEFINE_integer("train", 1000, "Training examples.", lower_bound=1)
_VALIDATION = flags.DEFINE_integer("validation", 100, "Validation examples.", lower_bound=1)
_TEST = flags.DEFINE_integer("test", 200, "Test examples.", lower_bound=1)
_FRAMES = flags.DEFINE_integer(
  "frames", 3, "Consecutive frames of an example of domain street.", lower_bound=1
)
_NOISE = flags.DEFINE_float(
  "noise", render.Job.noise, "Sensor noise, of a full scale of 1; 0: none.", lower_bound=0.0
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the data set.", lower_bound=0)
_NUM_WORKERS = flags.DEFINE_integer(
  "num_workers", 0, "Processes that render; 0: one for each CPU.", lower_bound=0
)
_PREVIEW = flags.DEFINE_string("preview", None, "PNG to write pictures of both domains to.")
_PREVIEW_EXAMPLES = flags.DEFINE_integer(
  "preview_examples", 4, "Examples of each domain in the preview.", lower_bound=1
)


def _frames(domain: str) -> int:
  return 1 if domain == "stills" else _FRAMES.value


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
    jobs = [
      render.Job(domain, height, width, _frames(domain), _SEED.value, _NOISE.value)
      for domain in render.DOMAINS
    ]
    picture = preview.grid(jobs, _PREVIEW_EXAMPLES.value)
    rendering_preview.save(picture, _PREVIEW.value, height)
    logging.info(
      "preview of %d examples of each domain: %s", _PREVIEW_EXAMPLES.value, _PREVIEW.value
    )
  if _DATA_DIR.value:
    config = streets.StreetsConfig(
      domain=_DOMAIN.value,
      height=height,
      width=width,
      frames=_frames(_DOMAIN.value),
      train=_TRAIN.value,
      validation=_VALIDATION.value,
      test=_TEST.value,
      seed=_SEED.value,
      noise=_NOISE.value,
      num_workers=_NUM_WORKERS.value,
    )
    builder = streets.prepare(config, _DATA_DIR.value)
    logging.info("data set: %s", builder.data_path)


if __name__ == "__main__":
  startup.run(main)
