"""What the renderers of all worlds ask of a data set's description."""

from collections.abc import Sequence


def check(domain: str, domains: Sequence[str], height: int, width: int, seed: int) -> None:
  """Raises ValueError for an unknown domain, an image that is too small (pixels) or a bad seed."""
  if domain not in domains:
    raise ValueError(f"domain is {domain!r}; expected one of {domains}")
  if height < 8 or width < 8:
    raise ValueError(f"image size is {height}x{width}; expected at least 8x8 pixels")
  if seed < 0:
    raise ValueError(f"seed is {seed}; expected an integer of at least 0")
