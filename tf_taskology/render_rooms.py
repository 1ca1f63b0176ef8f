r"""Renders a data set of the rooms world, or a picture of what it looks like.

  python -m tf_taskology.render_rooms --data_dir=/tmp/data --domain=sensor --size=48x64 \
    --train=1500 --validation=200 --test=300
  python -m tf_taskology.render_rooms --size=96x128 --preview=/tmp/rooms.png

The first logs its progress and frames a second; the second shows both domains.
"""

import re

import numpy as np
from absl import app, flags, logging
from PIL import Image

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


def _size(text: str) -> tuple[int, int]:
  match = re.fullmatch(r"(\d+)x(\d+)", text)
  if not match:
    raise app.UsageError(f"--size is {text!r}; expected height x width in pixels, e.g. 48x64")
  return int(match[1]), int(match[2])


def _write_preview(path: str, height: int, width: int) -> None:
  jobs = [render.Job(domain, height, width, _SEED.value) for domain in render.DOMAINS]
  picture = preview.grid(jobs, _PREVIEW_EXAMPLES.value)
  zoom = max(1, 128 // height)
  Image.fromarray(np.repeat(np.repeat(picture, zoom, 0), zoom, 1)).save(path)
  logging.info("preview of %d examples of each domain: %s", _PREVIEW_EXAMPLES.value, path)


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments {argv[1:]}; this program takes flags only")
  if not (_DATA_DIR.value or _PREVIEW.value):
    raise app.UsageError("nothing to do: give --data_dir, --preview or both")
  height, width = _size(_SIZE.value)
  if _PREVIEW.value:
    _write_preview(_PREVIEW.value, height, width)
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
