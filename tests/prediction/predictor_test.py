"""Tests of prediction/predictor.py and model.py, with a model that does as it is told."""

import os
import threading

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from tests.prediction import sample_images
from tf_taskology.peers import peer
from tf_taskology.prediction import image_files, model, output_kind, predictor, writer

_IMAGE = {"image": model.Tensor("uint8", (-1, -1, -1, 3))}
_ENCODED = {"image_bytes": model.Tensor("string", (-1,))}
_OUTPUTS = {"depth": model.Tensor("float32", (-1, -1, -1, 1)), "step": model.Tensor("int64", (-1,))}


class _Model(model.Model):
  """Answers the mean of each image everywhere."""

  title = "The fake model"

  def __init__(self, **signatures):
    self.signatures = {
      name: model.Signature(name, inputs, _OUTPUTS)
      for name, inputs in (
        signatures or {"serving_default": _IMAGE, "serving_jpeg": _ENCODED}
      ).items()
    }
    self.calls = []
    self._lock = threading.Lock()
    self.answer = lambda outputs: outputs

  def predict(self, signature, batch):
    with self._lock:
      self.calls.append((signature.name, len(batch)))
    if signature.takes == model.ENCODED:
      try:
        batch = [tf.io.decode_image(data, channels=3).numpy() for data in batch]
      except tf.errors.InvalidArgumentError as error:
        raise peer.PeerMismatch(f"refused: {error.message}") from error
    batch = np.stack(batch).astype(np.float32)
    depth = np.broadcast_to(batch.mean(axis=(1, 2, 3), keepdims=True), (*batch.shape[:3], 1))
    return model.Answer(self.answer({"depth": depth, "step": np.full(len(batch), 5)}), 5)

  def close(self):
    pass


class PredictorTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path
    self.out = self.create_tempdir().full_path
    self.model = _Model()

  def write(self, name, *args, **options):
    return sample_images.write(os.path.join(self.folder, name), *args, **options)

  def predict(self, wanted=None, images=None, **options):
    made = writer.Writer(
      self.out, {"depth": output_kind.Kind.DEPTH, "step": output_kind.Kind.STAMP}
    )
    try:
      return predictor.predict(
        self.model,
        model.choose(self.model, wanted),
        images or image_files.find([self.folder]),
        made,
        predictor.Options(**options),
      )
    finally:
      made.close()

  def depth(self, name):
    return np.load(os.path.join(self.out, f"{name}.depth.npy"))

  def test_every_image_gets_its_own_answer(self):
    sizes = [(24, 32), (16, 16)]
    for i in range(11):
      image = sample_images.pixels(*sizes[i % 3 == 0], seed=i)
      self.write(f"{i}.{'jpg' if i % 2 else 'png'}", image)
    summary = self.predict(batch_size=3, in_flight=3)
    self.assertEqual((summary.written, summary.failures, summary.versions), (11, {}, {5: 11}))
    for i in range(11):
      image = sample_images.pixels(*sizes[i % 3 == 0], seed=i)
      depth = self.depth(str(i))
      self.assertEqual(depth.shape, (*image.shape[:2], 1))
      self.assertAlmostEqual(float(depth[0, 0, 0]), image.mean(), delta=4 if i % 2 else 1e-3)
    self.assertLessEqual(max(size for _, size in self.model.calls), 3)
    self.assertEqual({name for name, _ in self.model.calls}, {"serving_default", "serving_jpeg"})
    self.assertEqual(sum(size for name, size in self.model.calls if name == "serving_jpeg"), 5)

  def test_jpeg_that_must_be_turned_is_decoded_here(self):
    sample_images.turned(os.path.join(self.folder, "a.jpg"))
    self.predict()
    self.assertEqual(self.model.calls, [("serving_default", 1)])
    self.assertEqual(self.depth("a").shape, (32, 24, 1))

  def test_broken_images_are_left_out(self):
    big = np.random.default_rng(0).integers(0, 255, [24, 32, 3], np.uint8)
    for i in range(4):
      self.write(f"{i}.jpg", big)
      self.write(f"p{i}.png", big)
    bad = [
      sample_images.truncate(os.path.join(self.folder, name), share)
      for name, share in (("2.jpg", 0.6), ("p1.png", 0.6), ("3.jpg", 0.0))
    ]
    summary = self.predict(batch_size=4)
    self.assertCountEqual(summary.failures, bad)
    self.assertEqual((summary.written, summary.done), (5, 8))
    for path, reason in summary.failures.items():
      self.assertStartsWith(reason, f"Cannot read image '{path}': ")
    self.assertIn("3 unreadable", summary.note())

  def test_a_refusal_that_is_not_the_images_fault_is_raised(self):
    self.write("a.jpg")
    self.write("b.jpg")

    def refuse(outputs):
      raise peer.PeerMismatch("refused: out of order")

    self.model.answer = refuse
    with self.assertRaisesRegex(peer.PeerMismatch, "out of order"):
      self.predict()

  @parameterized.parameters(
    (
      lambda outputs: {"step": outputs["step"]},
      r"answered 'depth' with shape None; expected \[1, ",
    ),
    (lambda outputs: {**outputs, "depth": np.zeros([3, 2])}, r"'depth' with shape \[3, 2\]"),
  )
  def test_answers_that_do_not_fit(self, answer, message):
    self.write("a.png")
    self.model.answer = answer
    with self.assertRaisesRegex(model.ModelError, message):
      self.predict()

  def test_a_dead_server_ends_it(self):
    for i in range(6):
      self.write(f"{i}.png")

    def die(outputs):
      if len(self.model.calls) > 2:
        raise peer.PeerUnreachable("gone")
      return outputs

    self.model.answer = die
    with self.assertRaisesRegex(peer.PeerUnreachable, "gone"):
      self.predict(batch_size=1, in_flight=1)
    self.assertLen([name for name in os.listdir(self.out) if name.endswith(".npy")], 2)

  def test_models_without_a_decoder_get_pixels(self):
    self.model = _Model(serving_default=_IMAGE)
    self.write("a.jpg")
    self.predict()
    self.assertEqual(self.model.calls, [("serving_default", 1)])

  def test_models_that_only_decode_get_files(self):
    self.model = _Model(serving_default=_ENCODED)
    self.write("a.jpg")
    self.write("b.png")
    self.assertEqual(self.predict().written, 2)

  def test_pairs_of_frames(self):
    pair = {"image": model.Tensor("uint8", (-1, -1, -1, 6))}
    two_files = {"image_bytes": model.Tensor("string", (-1, 2))}
    self.model = _Model(serving_default=pair, serving_jpeg=two_files)
    for i in range(3):
      self.write(f"a/{i}.png", sample_images.pixels(seed=i))
    self.write("a/9.png", sample_images.pixels(40, 32))
    self.write("b/0.png")  # a video of one frame has no motion
    self.assertTrue(model.choose(self.model).takes_pairs)
    images = image_files.paired(image_files.find([self.folder]))
    self.assertEqual([i.name for i in images], ["a/0", "a/1", "a/2"])
    summary = self.predict(images=images)
    self.assertEqual(summary.written, 2)
    [(path, reason)] = summary.failures.items()
    self.assertEndsWith(path, "a/2.png")
    self.assertIn("differ in size: 32x24 and 32x40 pixels", reason)
    frames = [sample_images.pixels(seed=i).astype(np.float32) for i in (0, 1)]
    mean = np.concatenate(frames, -1).mean()
    self.assertAlmostEqual(float(np.load(os.path.join(self.out, "a/0.depth.npy"))[0, 0, 0]), mean, places=2)  # fmt: skip
    with self.assertRaisesRegex(ValueError, "two frames of a video: expected two or more images"):
      image_files.paired(image_files.find([os.path.join(self.folder, "b")]))

  def test_a_certain_signature(self):
    self.model = _Model(serving_default=_IMAGE, serving_jpeg=_ENCODED, peer=_IMAGE)
    self.write("a.jpg")
    self.predict(wanted="peer")
    self.assertEqual(self.model.calls, [("peer", 1)])

  @parameterized.parameters(
    ({"serving_default": _IMAGE}, "serving_defualt", "no signature 'serving_defualt'. Did you mean 'serving_default'. It has: serving_default"),
    ({"predict": _IMAGE}, None, "no signature 'serving_default'. It has: predict"),
    ({"serving_default": {"x": model.Tensor("float32", (-1, 4))}}, None, r"takes x: float32 \[-1, 4\]; expected one input, uint8"),
    ({"serving_default": {}}, None, "takes nothing; expected"),
    ({"serving_default": {**_IMAGE, **_ENCODED}}, None, "takes image: .*, image_bytes: string"),
  )  # fmt: skip
  def test_refuses_signatures(self, signatures, wanted, message):
    with self.assertRaisesRegex(model.ModelError, message):
      model.choose(_Model(**signatures), wanted)

  def test_refuses_options(self):
    with self.assertRaisesRegex(ValueError, "batch_size >= 1.* Received: batch_size=0"):
      predictor.Options(batch_size=0)


if __name__ == "__main__":
  absltest.main()
