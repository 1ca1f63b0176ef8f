"""Image files of many kinds, good and bad, for tests of predictions."""

import os

import numpy as np
from PIL import Image


def pixels(height=24, width=32, seed=0):
  """A smooth picture, which survives JPEG, [height, width, 3] uint8."""
  y, x = np.mgrid[:height, :width]
  return np.stack([(x * 5 + seed * 20) % 256, y * 7 % 256, (x + y) * 3 % 256], -1).astype(np.uint8)


def write(path, image=None, **options):
  """Writes an image by the ending of its path. Returns the path."""
  os.makedirs(os.path.dirname(path), exist_ok=True)
  image = pixels() if image is None else image
  made = image if isinstance(image, Image.Image) else Image.fromarray(image)
  made.save(path, **options)
  return path


def truncate(path, share=0.5):
  """Cuts the end of a file off. Returns the path."""
  os.truncate(path, int(os.path.getsize(path) * share))
  return path


def turned(path, orientation=6):
  """A JPEG file that was taken with the camera on its side; seen upright it is 32 high and 24 wide."""
  exif = Image.Exif()
  exif[0x0112] = orientation
  return write(path, exif=exif, quality=95)
