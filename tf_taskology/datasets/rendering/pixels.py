"""Small things that renderers share: rays, edges, colours."""

import numpy as np


def hsv_to_rgb(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
  """[..., 3] colours of hue, saturation and value [...], all in [0, 1]."""
  k = (np.array([5.0, 3.0, 1.0]) + hue[..., None] * 6.0) % 6.0
  fall = np.clip(np.minimum(k, 4.0 - k), 0.0, 1.0)
  return value[..., None] * (1.0 - saturation[..., None] * fall)


def near_edge(key: np.ndarray, only_within: np.ndarray | None = None) -> np.ndarray:
  """Whether one of a pixel's 8 neighbours has another value.

  Args:
    key: [..., H, W], the values.
    only_within: [..., H, W]; pairs of neighbours that differ in it do not count.

  Returns:
    [..., H, W] bool.
  """
  edge = np.zeros(key.shape, bool)
  for here, there in (
    (np.s_[..., :, 1:], np.s_[..., :, :-1]),
    (np.s_[..., 1:, :], np.s_[..., :-1, :]),
    (np.s_[..., 1:, 1:], np.s_[..., :-1, :-1]),
    (np.s_[..., 1:, :-1], np.s_[..., :-1, 1:]),
  ):
    differs = key[here] != key[there]
    if only_within is not None:
      differs &= only_within[here] == only_within[there]
    edge[here] |= differs
    edge[there] |= differs
  return edge
