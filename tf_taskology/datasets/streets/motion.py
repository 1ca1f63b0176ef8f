"""Per-pixel motion of objects, from the exact labels.

Convention (Gordon et al. 2019; Li et al. 2020; Taskology eq. 3): a pixel p of frame i with depth z
moves to p' with depth z' in frame j by

  z' p' = K' R K^-1 z p + K' (m + T),   m = the motion of the surface point between the two frames.

R and T take points of camera i to camera j: with poses C (camera to world), R = R_j^T R_i and
T = R_j^T (t_i - t_j). m is therefore in the axes of camera j, the one warped to (x right, y down,
z forward), in metres for the whole step between the frames; it belongs to the pixels of frame i.
"""

import tensorflow as tf

MISSING = float("nan")  # where the neighbouring frame is not part of the example


def _rigid_inverse(pose: tf.Tensor) -> tf.Tensor:
  rotation = tf.linalg.matrix_transpose(pose[..., :3, :3])
  shift = -tf.linalg.matvec(rotation, pose[..., :3, 3])
  top = tf.concat([rotation, shift[..., None]], -1)
  return tf.concat([top, pose[..., 3:, :]], -2)


def _of_frame(depth, rigid, intrinsics, pose, rigid_pose, to_pose, to_rigid_pose) -> tf.Tensor:
  """[H, W, 3] motion of one frame's pixels to another frame."""
  # What moves covers a small part of the picture.
  place = tf.where(rigid[..., 0] > 0)
  which = tf.cast(tf.gather_nd(rigid[..., 0], place), tf.int32)
  z = tf.gather_nd(depth[..., 0], place)
  pixel = tf.cast(tf.reverse(place, [1]), z.dtype)
  pixel = tf.concat([pixel, tf.ones_like(pixel[:, :1])], 1)
  ray = tf.linalg.matvec(tf.linalg.inv(intrinsics), pixel)
  world = tf.linalg.matvec(pose[:3, :3], ray * z[:, None]) + pose[:3, 3]
  step = tf.gather(to_rigid_pose @ _rigid_inverse(rigid_pose), which)
  moved = tf.linalg.matvec(step[:, :3, :3], world) + step[:, :3, 3]
  motion = tf.linalg.matvec(tf.transpose(to_pose[:3, :3]), moved - world)
  return tf.scatter_nd(place, motion, tf.cast(tf.concat([tf.shape(depth)[:2], [3]], 0), tf.int64))


def object_motion(example, step: int) -> tf.Tensor:
  """Motion of the surface points of every frame's pixels to a neighbouring frame.

  Args:
    example: features of one example of the builder: depth [frames, H, W, 1], rigid
      [frames, H, W, 1], intrinsics [frames, 3, 3], pose [frames, 4, 4] and rigid_pose
      [frames, ids, 4, 4].
    step: 1 for the next frame, -1 for the one before.

  Returns:
    [frames, H, W, 3] float32, metres, axes of the neighbouring frame's camera; 0 where nothing
    moves and in the sky, MISSING on the frame that has no such neighbour.
  """
  frames, height, width, _ = example["depth"].shape
  names = ("depth", "rigid", "intrinsics", "pose", "rigid_pose")
  result = []
  for i in range(frames):
    j = i + step
    if 0 <= j < frames:
      own = (tf.convert_to_tensor(example[name][i]) for name in names)
      result.append(_of_frame(*own, example["pose"][j], example["rigid_pose"][j]))
    else:
      result.append(tf.fill([height, width, 3], MISSING))
  return tf.ensure_shape(tf.stack(result), [frames, height, width, 3])
