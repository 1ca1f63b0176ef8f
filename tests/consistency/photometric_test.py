import inspect

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import moving_scene, published_losses
from tf_taskology.consistency import photometric
from tf_taskology.geometry import rotations
from tf_taskology.tasks import motion

_MOTION = (motion.ROTATION, motion.TRANSLATION, motion.MOTION_FIELD)


def scene(height=32, width=48, stride=1, dtype=np.float32):
  """(predictions that are true, inputs) of one sample of two frames."""
  frames = moving_scene.frames(height * stride, width * stride)
  predictions = {"depth": frames["depth"][:, ::stride, ::stride]}
  predictions.update({name: frames[name] for name in _MOTION})
  predictions[motion.MOTION_FIELD] = frames[motion.MOTION_FIELD][:, ::stride, ::stride]
  inputs = {name: frames[name] for name in ("image", "intrinsics", "pose")}
  pack = lambda values: {n: tf.constant(v[None].astype(dtype)) for n, v in values.items()}
  return pack(predictions), pack(inputs), frames


def random_sample(seed=0, batch=2, frames=2, height=9, width=12, dtype=tf.float64):
  random = np.random.RandomState(seed)
  pairs = 2 * (frames - 1)
  values = {
    "depth": random.uniform(2, 4, [batch, frames, height, width, 1]),
    "rotation": random.normal(0, 0.05, [batch, pairs, 1, 1, 3]),
    "translation": random.normal(0, 0.2, [batch, pairs, 1, 1, 3]),
    "motion_field": random.normal(0, 0.2, [batch, pairs, height, width, 3]),
  }
  matrix = np.array([[0.8 * width, 0, 0.5 * width], [0, width, 0.4 * height], [0, 0, 1]])
  inputs = {
    "image": random.uniform(0, 255, [batch, frames, height, width, 3]),
    "intrinsics": np.tile(matrix, (batch, frames, 1, 1)),
  }
  cast = lambda items: {name: tf.constant(value, dtype) for name, value in items.items()}
  return cast(values), cast(inputs)


def driven_sample(seed=0):
  """Three frames with poses, motion and focal lengths that agree: (predictions, inputs)."""
  values, inputs = random_sample(seed, frames=3)
  first = rotations.pose_from_motion(
    values["rotation"][:, 0, 0, 0], values["translation"][:, 0, 0, 0]
  )
  second = rotations.pose_from_motion(
    values["rotation"][:, 1, 0, 0], values["translation"][:, 1, 0, 0]
  )
  pose = [tf.eye(4, batch_shape=[2], dtype=first.dtype), first, first @ second]
  steps = [tf.linalg.inv(pose[j]) @ pose[i] for i, j in motion.pairs(3)]
  moved = [rotations.motion_from_pose(step) for step in steps]
  for name, parts in zip(_MOTION[:2], zip(*moved, strict=True), strict=True):
    values[name] = tf.stack(parts, axis=1)[:, :, tf.newaxis, tf.newaxis]
  values["camera"] = tf.tile(
    tf.constant([0.8, 1.0, 0.5, 0.4], first.dtype)[tf.newaxis, tf.newaxis, tf.newaxis, tf.newaxis],
    [2, 4, 1, 1, 1],
  )
  return values, {**inputs, "pose": tf.stack(pose, axis=1)}


def published_terms(values, inputs, preset):
  """Terms in numpy, summed over both directions of each pair of neighbours as DVW's code writes it."""
  values = {name: value.numpy() for name, value in values.items()}
  rgb, intrinsics = inputs["image"].numpy() / 255, inputs["intrinsics"].numpy()[:, 0]
  num_frames = rgb.shape[1]
  dvw = preset == "dvw"
  names = ("rgb", "ssim", "depth", "smoothness", "rotation_cycle", "translation_cycle")
  terms = dict.fromkeys((*names, "motion_smoothness", "sparsity"), 0.0)
  for frame in range(num_frames):
    terms["smoothness"] += published_losses.depth_smoothness(
      values["depth"][:, frame, ..., 0], rgb[:, frame]
    )
  total = values["translation"] + values["motion_field"]
  for p, (i, j) in enumerate(motion.pairs(num_frames)):
    angles, back = values["rotation"][:, p, 0, 0], values["rotation"][:, p ^ 1, 0, 0]
    moved = published_losses.transform(
      values["depth"][:, i, ..., 0], angles, total[:, p], intrinsics
    )
    found = published_losses.rgbd(moved, rgb[:, i], values["depth"][:, j, ..., 0], rgb[:, j])
    cycle = published_losses.cycles(
      moved, found["closer"], angles, total[:, p], back, total[:, p ^ 1], not dvw
    )
    for name in ("rgb", "ssim", "depth"):
      terms[name] += found[name]
    terms["rotation_cycle"] += cycle[0]
    terms["translation_cycle"] += cycle[1]
    residual = published_losses.normalize(values["motion_field"][:, p], total[:, p])
    smoothed = published_losses.normalize(total[:, p], total[:, p]) if dvw else residual
    terms["motion_smoothness"] += published_losses.l1_smoothness(smoothed, dvw)
    terms["sparsity"] += published_losses.sqrt_sparsity(residual)
  return terms


class PhotometricTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters(("dvw", 2), ("dvw", 3), ("dml", 2))
  def test_terms_equal_the_published_formulas(self, preset, num_frames):
    values, inputs = random_sample(frames=num_frames)
    expected = published_terms(values, inputs, preset)
    ones = dict.fromkeys(expected, 1.0)
    arguments = {"preset": preset, "frames": range(num_frames), "jit_compile": False}
    terms = photometric.Photometric(term_weights=ones, **arguments)(values, inputs)
    self.assertEqual(set(terms), set(expected))
    for name in expected:
      self.assertAllClose(terms[name], expected[name], rtol=1e-9, msg=name)
    weighted = photometric.Photometric(**arguments)(values, inputs)
    constants = {
      "dvw": dict(zip(expected, (0.85, 1.5, 0.01, 0.01, 1e-3, 1e-2, 1e-3, 0), strict=True)),
      "dml": dict(zip(expected, (1.0, 1.5, 0, 1e-3, 1e-3, 5e-2, 1.0, 0.2), strict=True)),
    }[preset]
    self.assertEqual(set(weighted), {name for name in expected if constants[name]})
    for name, value in weighted.items():
      self.assertAllClose(value, constants[name] * expected[name], rtol=1e-9, msg=name)

  def test_xla_in_float32_equals_the_published_formulas(self):
    values, inputs = random_sample(3)
    expected = published_terms(values, inputs, "dvw")
    single = lambda items: {name: tf.cast(value, tf.float32) for name, value in items.items()}
    loss = photometric.Photometric(term_weights=dict.fromkeys(expected, 1.0))
    for name, value in loss(single(values), single(inputs)).items():
      self.assertAllClose(value, expected[name], rtol=1e-5, atol=1e-5, msg=name)

  @parameterized.parameters(1, 2)
  def test_true_predictions_leave_rendering_noise_and_wrong_ones_more(self, stride):
    predictions, inputs, _ = scene(stride=stride)
    loss = photometric.Photometric(occlusion_tolerance=0.01, jit_compile=False)
    right = loss(predictions, inputs)
    self.assertLess(right["rgb"] / 2 / 0.85, 0.006)  # of 1, mean of both directions
    self.assertLess(right["translation_cycle"], 1e-4)
    self.assertLess(right["rotation_cycle"], 1e-7)
    for name in ("depth", *_MOTION):
      wrong = loss({**predictions, name: 0.8 * predictions[name]}, inputs)
      self.assertGreater(wrong["rgb"], 1.03 * right["rgb"], name)
    backwards = {name: predictions[name][:, ::-1] for name in _MOTION[:2]}
    wrong = loss({**predictions, **backwards}, inputs)
    self.assertGreater(wrong["rgb"], 2 * right["rgb"])

  def test_scales_are_summed_and_divided_by_themselves(self):
    values, inputs = random_sample(height=16, width=24)
    make = lambda **arguments: photometric.Photometric(jit_compile=False, **arguments)
    coarse = {n: x if x.shape[2] == 1 else x[:, :, ::2, ::2] for n, x in values.items()}
    fine, alone = make()(values, inputs), make()(coarse, inputs)
    both = make(scales=(1, 2))(values, inputs)
    self.assertEqual(set(both), set(fine))
    for name, value in both.items():
      self.assertAllClose(value, fine[name] + alone[name] / 2, rtol=1e-6)
    with self.assertRaisesRegex(ValueError, "Photometric.scales must be whole numbers >= 1"):
      make(scales=(0.5,))

  @parameterized.parameters(0.5, 2.0, 3.0, 40.0)
  def test_scale_is_held_within_a_factor_of_two(self, mean_depth):
    values, inputs = random_sample()
    loss = photometric.Photometric(
      term_weights={"scale": 2.0}, mean_depth=mean_depth, jit_compile=False
    )
    factor = np.exp(np.abs(np.mean(np.log(values["depth"])) - np.log(mean_depth)))
    expected = 2.0 * np.square(np.log(max(1.0, factor / 2)))
    self.assertAllClose(loss(values, inputs)["scale"], expected, rtol=1e-5)
    self.assertNotIn("scale", photometric.Photometric(jit_compile=False)(values, inputs))

  @parameterized.parameters("given", "learned")
  def test_frames_further_apart_are_compared_as_a_sample_of_just_these(self, intrinsics):
    values, inputs = driven_sample()
    apart = {"depth": tf.gather(values["depth"], [0, 2], axis=1), "camera": values["camera"][:, :2]}
    apart_inputs = {name: tf.gather(value, [0, 2], axis=1) for name, value in inputs.items()}
    make = lambda **arguments: photometric.Photometric(
      object_motion=False, intrinsics=intrinsics, jit_compile=False, **arguments
    )
    expected = make(ego_motion="given")(apart, apart_inputs)
    found = make(frames=(0, 1, 2), spans=(2,), ego_motion="given")(values, inputs)
    composed = make(frames=(0, 1, 2), spans=(2,))(values, inputs)
    neighbours = make(frames=(0, 1, 2))(values, inputs)
    both = make(frames=(0, 1, 2), spans=(1, 2))(values, inputs)
    for name in ("rgb", "ssim", "depth"):
      self.assertGreater(expected[name], 0, name)
      self.assertAllClose(found[name], expected[name], rtol=1e-9, msg=name)
      self.assertAllClose(composed[name], expected[name], rtol=1e-6, msg=name)
      self.assertAllClose(both[name], neighbours[name] + composed[name], rtol=1e-9, msg=name)
    self.assertAllClose(found["smoothness"], expected["smoothness"], rtol=1e-9)
    self.assertAllClose(both["smoothness"], neighbours["smoothness"], rtol=1e-9)
    self.assertLess(composed["rotation_cycle"], 1e-12)

  def test_a_coarser_motion_field_is_read_at_the_resolution_of_depth(self):
    values, inputs = random_sample(height=8, width=12)
    loss = photometric.Photometric(jit_compile=False)
    # Halves of the image move by themselves; between them, and nowhere else, the larger field is interpolated.
    coarse = np.zeros([2, 2, 4, 6, 3])
    coarse[:, :, :, 3:] = [0.1, 0.0, 0.3]
    fine = np.repeat(np.repeat(coarse, 2, axis=2), 2, axis=3)
    fine[:, :, :, 5] = [0.05, 0.0, 0.15]
    terms = [loss({**values, "motion_field": tf.constant(x)}, inputs) for x in (coarse, fine)]
    self.assertAllClose(*terms)

  def test_given_poses_and_learned_intrinsics_say_the_same(self):
    predictions, inputs, frames = scene(stride=2)
    expected = photometric.Photometric(jit_compile=False)(predictions, inputs)["rgb"]
    posed = photometric.Photometric(ego_motion="given", jit_compile=False)
    self.assertEqual(posed.needs_inputs, ("intrinsics", "pose"))
    self.assertNotIn("rotation", posed.needs)
    self.assertAllClose(posed(predictions, inputs)["rgb"], expected, rtol=1e-3)
    height, width = inputs["image"].shape[2:4]
    k = frames["intrinsics"][0]
    camera = np.array([k[0, 0] / width, k[1, 1] / height, k[0, 2] / width, k[1, 2] / height])
    apart = np.array([camera * 0.9, camera * 1.1]).reshape([1, 2, 1, 1, 4]).astype(np.float32)
    learned = photometric.Photometric(intrinsics="learned", jit_compile=False)
    self.assertEmpty(learned.needs_inputs)
    terms = learned({**predictions, "camera": tf.constant(apart)}, {"image": inputs["image"]})
    self.assertAllClose(terms["rgb"], expected, rtol=1e-3)

  def test_scale_is_kept(self):
    """Depth that grows as a whole meets no gradient but that of `scale`; what is compared stays the same."""
    values, inputs = random_sample()
    arguments = {"term_weights": {"scale": 1.0}, "mean_depth": 20.0, "jit_compile": False}
    expected = photometric.Photometric(**arguments)(values, inputs)
    kept = photometric.Photometric(keep_scale=True, **arguments)
    with tf.GradientTape(persistent=True) as tape:
      tape.watch(values)
      terms = kept(values, inputs)
    self.assertAllClose(terms, expected)
    for name in ("rgb", "ssim", "depth", "scale"):
      gradient = tape.gradient(terms[name], values["depth"])
      self.assertGreater(tf.norm(gradient), 1e-6, name)
      growth = tf.reduce_sum(gradient * values["depth"])
      if name == "scale":
        self.assertLess(growth, -0.1)  # towards `mean_depth`
      else:
        self.assertNear(growth, 0.0, 1e-6, name)

  def test_a_mask_is_of_the_frame_whose_pixels_move(self):
    predictions, inputs, frames = scene()
    sphere = tf.constant(frames["sphere"][None].astype(np.float32))
    # A field that also moves what stands still: the mask must leave the true one.
    field = tf.where(sphere > 0, predictions["motion_field"], 0.3 + predictions["motion_field"])
    logits = tf.concat([5 - 10 * sphere, 10 * sphere - 5, -9 * tf.ones_like(sphere)], axis=-1)
    # Pixels that are pushed away must not fall out of view.
    arguments = {"occlusion_tolerance": 1.0, "jit_compile": False}
    expected = photometric.Photometric(**arguments)(predictions, inputs)
    unmasked = photometric.Photometric(**arguments)({**predictions, "motion_field": field}, inputs)
    self.assertGreater(unmasked["rgb"], 1.3 * expected["rgb"])
    for mask, tolerance in (("hard", 1e-6), ("soft", 0.02)):
      loss = photometric.Photometric(mask=mask, movable_classes=[1], **arguments)
      self.assertEqual(loss.needs["segmentation"], (0, 1))
      masked = loss({**predictions, "motion_field": field, "segmentation": logits}, inputs)
      self.assertAllClose(masked["rgb"], expected["rgb"], rtol=tolerance)
    labels = {"segmentation": tf.cast(sphere, tf.uint8)}
    hard = photometric.Photometric(mask="hard", movable_classes=[1], **arguments)
    labelled = hard({**predictions, "motion_field": field}, inputs, labels)
    self.assertAllClose(labelled["rgb"], expected["rgb"], rtol=1e-6)
    boxes = photometric.Photometric(mask="boxes", dilation=1, **arguments)
    self.assertIn("instances", boxes.needs_inputs)
    instances = {**inputs, "instances": tf.cast(sphere, tf.int32)}
    boxed = boxes({**predictions, "motion_field": field}, instances)
    self.assertLess(boxed["rgb"], 0.5 * unmasked["rgb"])
    self.assertNotAllClose(boxed["rgb"], expected["rgb"])  # a box is more than the sphere

  def test_what_fits_better_unmoved_is_left_out_where_it_is_movable(self):
    predictions, inputs, _ = scene()
    # The true motion is long: much of what it moves fits better where it was.
    predictions["depth"] *= 1.3

    def rgb(ignore_unmoved, movable):
      loss = photometric.Photometric(
        ignore_unmoved=ignore_unmoved,
        mask="hard",
        movable_classes=[1],
        occlusion_tolerance=1.0,
        jit_compile=False,
      )
      labels = {"segmentation": tf.cast(movable, tf.uint8)}
      return loss(predictions, inputs, labels)["rgb"]

    every, none = tf.ones_like(predictions["depth"]), tf.zeros_like(predictions["depth"])
    self.assertLess(rgb(True, every), 0.95 * rgb(False, every))
    self.assertAllClose(rgb("movable", every), rgb(True, every), rtol=1e-6)
    self.assertAllClose(rgb("movable", none), rgb(False, none), rtol=1e-6)

  def test_stop_gradients(self):
    values, inputs = random_sample(5, batch=1)
    values["segmentation"] = tf.constant(np.random.RandomState(0).normal(size=[1, 2, 9, 12, 3]))
    arguments = {"mask": "soft", "movable_classes": [2], "jit_compile": False}

    def gradients(term, stop_gradients):
      loss = photometric.Photometric(
        stop_gradients=stop_gradients, term_weights={term: 1.0}, **arguments
      )
      with tf.GradientTape() as tape:
        tape.watch(values)
        value = loss(values, inputs)[term]
      return tape.gradient(value, values, unconnected_gradients="zero")

    self.assertGreater(tf.norm(gradients("rgb", ())["segmentation"]), 0)
    self.assertEqual(tf.norm(gradients("rgb", ("mask",))["segmentation"]), 0)
    self.assertNotAllClose(
      gradients("depth", ())["depth"], gradients("depth", ("target_depth",))["depth"]
    )
    free = gradients("rotation_cycle", ())["rotation"]
    held = gradients("rotation_cycle", ("reverse_motion",))["rotation"]
    self.assertNotAllClose(free, held)
    with self.assertRaisesRegex(ValueError, "stop_gradients"):
      photometric.Photometric(stop_gradients=("everything",))

  @parameterized.parameters(
    ("smoothness", "depth"), ("motion_smoothness", "motion_field"), ("rotation_cycle", "rotation")
  )
  def test_gradient_equals_finite_differences(self, term, name):
    values, inputs = random_sample(7, batch=1, height=3, width=4)
    loss = photometric.Photometric(term_weights={term: 1.0}, jit_compile=False)
    function = tf.function(lambda value: loss({**values, name: value}, inputs)[term])
    theoretical, numerical = tf.test.compute_gradient(function, [values[name]], 1e-6)
    self.assertGreater(np.abs(numerical[0]).max(), 1e-3)
    self.assertAllClose(theoretical[0], numerical[0], atol=1e-5)

  def test_still_and_black_videos_give_finite_gradients(self):
    values, inputs = random_sample(8, dtype=tf.float32)
    inputs["image"] *= 0
    still = {name: (value if name == "depth" else 0 * value) for name, value in values.items()}
    for predictions in (values, still):
      with tf.GradientTape() as tape:
        tape.watch(predictions)
        total = tf.add_n(
          list(photometric.Photometric(jit_compile=False)(predictions, inputs).values())
        )
      self.assertTrue(np.isfinite(total))
      for gradient in tape.gradient(total, predictions).values():
        self.assertTrue(np.all(np.isfinite(gradient)))

  @parameterized.parameters(
    ({"preset": "monodepth"}, "preset"),
    ({"term_weights": {"rgbd": 1.0}}, "rgbd"),
    ({"frames": (0,)}, "frames"),
    ({"frames": (0, 2)}, "consecutive"),
    ({"frames": (0, 1), "spans": (2,), "object_motion": False}, "below the number of frames, 2"),
    ({"spans": (), "object_motion": False}, "spans must be different"),
    ({"frames": (0, 1, 2), "spans": (1, 2)}, "needs object_motion=False"),
    ({"intrinsics": "unknown"}, "intrinsics"),
    ({"mask": "hard"}, "movable_classes"),
    ({"mask": "boxes", "object_motion": False}, "no use"),
    ({"ignore_unmoved": "movable"}, "needs a mask"),
    ({"ignore_unmoved": "sometimes"}, "ignore_unmoved must be"),
    ({"keep_scale": True, "ego_motion": "given"}, "has no use with ego_motion"),
    ({"weights": {"normals": 1.0}}, "normals"),
    ({"occlusion_tolerance": -1.0}, "occlusion_tolerance"),
  )
  def test_refuses_arguments(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      photometric.Photometric(**arguments)

  def test_signature_has_what_is_passed_on(self):
    found = inspect.getfullargspec(photometric.Photometric.__init__)
    self.assertContainsSubset(["frames", "dilation", "scales", "jit_compile"], found.kwonlyargs)
    self.assertIsNone(found.varkw)

  def test_refuses_an_argument_that_is_misspelt_and_lists_the_right_ones(self):
    with self.assertRaisesRegex(TypeError, "Photometric has no argument 'framse'.* frames, intri"):
      photometric.Photometric(framse=(0, 1, 2))

  def test_refuses_samples(self):
    values, inputs = random_sample()
    loss = photometric.Photometric(jit_compile=False)
    one = {name: value[:, :1] for name, value in inputs.items()}
    with self.assertRaisesRegex(ValueError, "'image' has 1 frames"):
      loss(values, one)
    with self.assertRaisesRegex(ValueError, "reads 'rotation', which is not there"):
      loss({"depth": values["depth"]}, inputs)
    with self.assertRaisesRegex(ValueError, "same rows and columns"):
      loss({**values, "motion_field": values["motion_field"][:, :, ::2]}, inputs)
    with self.assertRaisesRegex(ValueError, "No stride"):
      loss(values, {**inputs, "image": inputs["image"][:, :, :-1]})

  def test_needs_name_frames_and_pairs(self):
    needs = photometric.Photometric(frames=(0, 1, 2), intrinsics="learned").needs
    self.assertEqual(needs["depth"], (0, 1, 2))
    for name in ("rotation", "translation", "motion_field", "camera"):
      self.assertEqual(needs[name], ((0, 1), (1, 0), (1, 2), (2, 1)))

  def test_angles_of_the_scene_are_those_of_its_poses(self):
    _, _, frames = scene()
    pose = rotations.pose_from_motion(
      tf.constant(frames["rotation"][0, 0, 0]), tf.constant(frames["translation"][0, 0, 0])
    )
    self.assertAllClose(pose, np.linalg.inv(frames["pose"][1]) @ frames["pose"][0])


if __name__ == "__main__":
  tf.test.main()
