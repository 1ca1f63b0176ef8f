"""Two frames of the analytic scene in which the camera and an object have moved."""

import numpy as np

from tests.geometry import analytic_scene

_SPHERE = 3
"""Number of the sphere among the surfaces of `analytic_scene.render`."""


def frames(height, width, step=(0.15, 0.05, -0.1), poses=None):
  """Renders two frames; the sphere and its texture move by `step` (metres, world) in between.

  Returns:
    {"image" [2, H, W, 3] in 0..255, "depth" [2, H, W, 1], "intrinsics" [2, 3, 3], "pose" [2, 4, 4],
    "rotation", "translation" [2, 1, 1, 3], "motion_field" [2, H, W, 3], "sphere" [2, H, W, 1]},
    float64; motion of the pairs (0, 1) and (1, 0).
  """
  poses = poses or [analytic_scene.pose(), analytic_scene.pose((0.1, -0.04, 0.12), 0.03, -0.02)]
  step = np.array(step)
  rendered = []
  for i, pose in enumerate(poses):
    still = analytic_scene.render(height, width, pose, sphere=False)
    # The sphere that has moved by the step, seen by a camera that has moved back by it.
    back = pose.copy()
    back[:3, 3] -= i * step
    ball = analytic_scene.render(height, width, back, sphere=True)
    shown = (ball[3] == _SPHERE)[..., None]
    rendered.append(
      {
        "image": np.where(shown, ball[2], still[2]),
        "depth": np.where(shown, ball[0], still[0]),
        "sphere": shown.astype(float),
      }
    )
  result = {name: np.stack([frame[name] for frame in rendered]) for name in rendered[0]}
  result["pose"] = np.stack(poses)
  result["intrinsics"] = np.stack([analytic_scene.intrinsics(height, width)] * 2)
  rotation, translation, field = [], [], []
  for source, target, sign in ((0, 1, 1), (1, 0, -1)):
    relative = np.linalg.inv(poses[target]) @ poses[source]
    r = relative[:3, :3]
    # Rx(a) Ry(b) Rz(c), solved for its angles.
    rotation.append(
      [np.arctan2(-r[1, 2], r[2, 2]), np.arcsin(r[0, 2]), np.arctan2(-r[0, 1], r[0, 0])]
    )
    translation.append(relative[:3, 3])
    moves = np.linalg.inv(poses[target])[:3, :3] @ (sign * step)
    field.append(result["sphere"][source] * moves)
  result["rotation"] = np.array(rotation)[:, None, None]
  result["translation"] = np.array(translation)[:, None, None]
  result["motion_field"] = np.stack(field)
  return result
