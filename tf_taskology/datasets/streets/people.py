"""People who walk or stand: a trunk and four limbs that swing; see `parts` for frames and units."""

import dataclasses

import numpy as np

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.streets import parts as p


@dataclasses.dataclass(frozen=True)
class Limb:
  """Parts that swing about a joint.

  Attributes:
    parts: in the limb's frame: origin at the joint, hanging down along -z.
    joint: [3] in the person's frame, metres.
    swing: amplitude, radians; negative limbs swing the other way.
  """

  parts: list[p.Part]
  joint: np.ndarray
  swing: float


def person(draw: draws.Draw) -> tuple[list[p.Part], list[Limb]]:
  """Parts of the trunk and head, and the limbs: two legs, two arms."""
  scale = draw(1.5, 1.9) / 1.75
  girth = scale * draw(0.9, 1.2)
  skirt, long_hair, bag = draw.chance(0.25), draw.chance(0.4), draw.chance(0.3)
  hip, shoulder = 0.88 * scale, 1.42 * scale
  w, d = 0.2 * girth, 0.12 * girth
  trunk = [
    p.tapered((-d, d, -0.8 * w, 0.8 * w), (-0.8 * d, 0.8 * d, -w, w), (hip - 0.04, shoulder),
              "person", "cloth"),
    p.ellipsoid((0, 0, shoulder), (0.8 * d, w, 0.07 * scale), "person", "cloth"),
    p.tube((0, 0, shoulder), (0, 0, 1.52 * scale), (0.055, 0.05), "person", "skin"),
    p.ellipsoid((0.01, 0, 1.62 * scale), (0.1, 0.085, 0.125 * scale), "person", "skin"),
    p.ellipsoid((-0.025, 0, 1.66 * scale), (0.105, 0.1, 0.11 * scale), "person", "hair"),
  ]  # fmt: skip
  if long_hair:
    trunk.append(p.ellipsoid((-0.07, 0, 1.53 * scale), (0.06, 0.1, 0.16), "person", "hair"))
  if skirt:
    trunk.append(p.tube((0, 0, hip - 0.4 * scale), (0, 0, hip + 0.05), (0.24 * girth, 0.15 * girth),
                        "person", "cloth", 1))  # fmt: skip
  if bag:
    trunk.append(p.box((-d - 0.16, -0.15, 1.0 * scale), (-d, 0.15, shoulder), "person", "cloth",
                       slot=2))  # fmt: skip
  limbs = []
  for side in (-1, 1):
    leg = [
      p.tube((0, 0, -hip + 0.06), (0, 0, 0.03), (0.055 * girth, 0.09 * girth), "person",
             "skin" if skirt else "trousers"),
      p.box((-0.07, -0.045, -hip), (0.19, 0.045, -hip + 0.08), "person", "shoe"),
    ]  # fmt: skip
    limbs.append(Limb(leg, np.array([0, side * 0.095 * girth, hip]), side * 0.42))
    arm = [
      p.tube((0.04, 0, -0.56 * scale), (0, 0, 0), (0.042 * girth, 0.06 * girth), "person", "cloth"),
      p.ellipsoid((0.05, 0, -0.61 * scale), (0.045, 0.035, 0.07), "person", "skin"),
    ]
    limbs.append(Limb(arm, np.array([0, side * (w + 0.04), shoulder]), -side * 0.35))
  return trunk, limbs
