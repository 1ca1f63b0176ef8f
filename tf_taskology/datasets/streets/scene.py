"""A world as tables: its parts, their faces, and where they are at each frame."""

import dataclasses

import numpy as np

from tf_taskology.datasets.streets import parts as p, sampling

MAX_RIGID = 250  # rigid bodies that move in one example; their ids fit a byte


@dataclasses.dataclass(frozen=True)
class Scene:
  """N parts with F faces, and B things that move as one piece.

  Attributes:
    parts: the N parts, for their shapes.
    kind: [N] int.
    rotation, center: [N, 3, 3], [N, 3] float64, part to rigid body.
    size: [N, 3] float64, as in `parts.Part`.
    label: [N + 1] uint8; the last one is the sky's.
    rigid: [N + 1] int, the rigid body a part belongs to; 0 is all that stands still, 1..B move.
    first_face: [N + 1] int, index of each part's first face; the last one is F.
    material: [F] int, faces that look alike.
    families: [M] str, family of each material.
    casts_shadow: [N] bool.
    rigid_pose: [frames, B + 1, 4, 4] float64, body to world; the first one is the identity.
  """

  parts: list[p.Part]
  kind: np.ndarray
  rotation: np.ndarray
  center: np.ndarray
  size: np.ndarray
  label: np.ndarray
  rigid: np.ndarray
  first_face: np.ndarray
  material: np.ndarray
  families: list[str]
  casts_shadow: np.ndarray
  rigid_pose: np.ndarray

  def placed(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """([N, 3, 3], [N, 3]) rotation and position of every part in the world at a frame."""
    poses = self.rigid_pose[frame, self.rigid[:-1]]
    rotation = np.einsum("nij,njk->nik", poses[:, :3, :3], self.rotation)
    return rotation, np.einsum("nij,nj->ni", poses[:, :3, :3], self.center) + poses[:, :3, 3]


def _flatten(world: sampling.World):
  """(parts, rotation to rigid body, position, rigid id, which thing) of every part."""
  rows = [(part, part.rotation, part.center, 0, 0) for part in world.ground]
  moving = []
  for number, body in enumerate(world.bodies):
    if body.moves:
      moving.append(body)
      rows += [(part, part.rotation, part.center, len(moving), number + 1) for part in body.parts]
    else:
      pose = body.motion.pose(0.0)
      r, t = pose[:3, :3], pose[:3, 3]
      rows += [(q, r @ q.rotation, r @ q.center + t, 0, number + 1) for q in body.parts]
  return rows, moving


def assemble(world: sampling.World, times, sky_label: int) -> Scene:
  """Tables of a world at the given times.

  Args:
    world: what there is.
    times: of the frames, seconds.
    sky_label: train id of what no part covers.

  Raises:
    ValueError: more than MAX_RIGID bodies move.
  """
  rows, moving = _flatten(world)
  if len(moving) > MAX_RIGID:
    raise ValueError(f"{len(moving)} bodies move; at most {MAX_RIGID} are possible")
  made = [row[0] for row in rows]
  faces = [len(q.looks) for q in made]
  materials: dict[tuple, int] = {}
  material = []
  # Limbs follow their trunk directly and share its clothes.
  owner = _owners(world)
  for part, _, _, _, thing in rows:
    for look in part.looks:
      key = (owner[thing], look, part.slot)
      material.append(materials.setdefault(key, len(materials)))
  rigid = np.array([row[3] for row in rows] + [0])
  poses = np.tile(np.eye(4), (len(times), len(moving) + 1, 1, 1))
  for i, body in enumerate(moving):
    poses[:, i + 1] = [body.motion.pose(t) for t in times]
  return Scene(
    parts=made,
    kind=np.array([q.kind for q in made]),
    rotation=np.array([row[1] for row in rows]),
    center=np.array([row[2] for row in rows]),
    size=np.array([q.size for q in made]),
    label=np.array([q.label for q in made] + [sky_label], np.uint8),
    rigid=rigid,
    first_face=np.concatenate([[0], np.cumsum(faces)]),
    material=np.array(material),
    families=[key[1] for key in materials],
    casts_shadow=(rigid[:-1] == 0) & (np.array([row[4] for row in rows]) > 0),
    rigid_pose=poses,
  )


def _owners(world: sampling.World) -> list[int]:
  """Which thing each body is part of; a thing is a body with its limbs."""
  owner, trunks = [0], {}
  for number, body in enumerate(world.bodies):
    base = getattr(body.motion, "base", body.motion)
    owner.append(trunks.setdefault(id(base), number + 1))
  return owner
