"""Tests of evaluation with models that are wrong by a known amount."""

import json
import pathlib

import numpy as np
import tensorflow as tf

from tests.evaluation import paper_streets, paper_walls
from tf_taskology.evaluation import (
  depth_protocol,
  ego_motion_protocol,
  evaluation,
  evaluator,
  exports,
  normals_protocol,
  object_motion_protocol,
  segmentation_protocol,
  spec,
)


def _spec(source=None, **kwargs):
  protocols = [depth_protocol.DepthProtocol(), normals_protocol.NormalsProtocol()]
  return spec.EvaluationSpec(
    "walls", source or paper_walls.source(), protocols=protocols, batch_size=2, **kwargs
  )


def _video_spec(source=None, **kwargs):
  protocols = [
    depth_protocol.DepthProtocol(),
    segmentation_protocol.SegmentationProtocol(),
    ego_motion_protocol.EgoMotionProtocol(),
    object_motion_protocol.ObjectMotionProtocol(),
  ]
  return spec.EvaluationSpec(
    "streets", source or paper_streets.source(), protocols=protocols, batch_size=2, **kwargs
  )


class EvaluatorTest(tf.test.TestCase):
  def test_numbers_of_a_run(self):
    work_dir = self.create_tempdir().full_path
    paper_walls.publish(work_dir, depth_factor=1.2, normals_degrees=15.0)
    [result] = evaluator.evaluate_run(work_dir, [_spec()])
    depth, normals = result.scores["depth"], result.scores["normals"]
    self.assertAllClose(depth.values["abs_rel"], 0.2, atol=1e-5)
    self.assertAllClose(depth.values["scaled_abs_rel"], 0.0, atol=1e-5)
    self.assertAllClose(depth.values["delta_1"], 100.0)
    self.assertAllClose(normals.values["mean"], 15.0, atol=1e-4)
    self.assertAllClose(normals.values["within_22.5"], 100.0)
    self.assertEqual((result.num_samples, depth.num_images), (5, 10))
    self.assertEqual(result.versions, {"depth": 100, "normals": 100})
    self.assertEqual([s.sample_id for s in result.samples], [f"wall-{i}" for i in range(5)])
    self.assertAllClose(
      result.samples[3].predictions["depth"],
      1.2 * 0.02 * result.samples[3].image[..., :1],
      atol=1e-5,
    )

  def test_newest_version_is_evaluated_and_unfinished_ones_are_not_seen(self):
    work_dir = self.create_tempdir().full_path
    paper_walls.publish(work_dir, normals_degrees=50.0, step=90, modules=["normals"])
    paper_walls.publish(work_dir, normals_degrees=20.0, step=1000, modules=["normals"])
    unfinished = pathlib.Path(work_dir, "exports", "normals", ".tmp-2000-1")
    unfinished.mkdir()
    (unfinished / "saved_model.pb").write_bytes(b"")
    [result] = evaluator.evaluate_run(work_dir, [_spec()], num_pictures=2)
    self.assertEqual(result.versions, {"normals": 1000})
    self.assertAllClose(result.scores["normals"].values["mean"], 20.0, atol=1e-4)
    self.assertEqual(result.notes, ("depth: no model gives depth",))
    self.assertEqual([s.sample_id for s in result.samples], ["wall-0", "wall-4"])

  def test_missing_labels_skip_the_protocol_with_a_note(self):
    work_dir = self.create_tempdir().full_path
    paper_walls.publish(work_dir)
    [result] = evaluator.evaluate_run(work_dir, [_spec(paper_walls.source(labels=["depth"]))])
    self.assertEqual(list(result.scores), ["depth"])
    self.assertEqual(result.notes, ("normals: the data set has no labels for normals",))

  def test_labels_that_are_all_missing_skip_the_protocol_with_a_note(self):
    protocols = [depth_protocol.DepthProtocol(max_depth=1.0), normals_protocol.NormalsProtocol()]
    walls = spec.EvaluationSpec("walls", paper_walls.source(), protocols=protocols)
    result = evaluator.evaluate(self._models(), walls)
    self.assertEqual(list(result.scores), ["normals"])
    self.assertEqual(result.notes, ("depth: no labelled pixel in 5 samples",))

  def test_first_frame_and_max_samples(self):
    models = self._models(depth_factor=0.5)
    result = evaluator.evaluate(models, _spec(frames="first"), max_samples=3)
    self.assertEqual((result.num_samples, result.scores["depth"].num_images), (3, 3))
    self.assertAllClose(result.scores["depth"].values["abs_rel"], 0.5, atol=1e-5)

  def test_what_is_written_is_read_back_and_other_data_sets_stay(self):
    work_dir = self.create_tempdir().full_path
    paper_walls.publish(work_dir, depth_factor=1.1)
    [test] = evaluator.evaluate_run(work_dir, [_spec()], num_pictures=2)
    evaluator.evaluate_run(work_dir, [_spec()], split="validation", max_samples=1)
    [read, validation] = evaluation.read(work_dir)
    self.assertEqual(
      (read.scores, read.versions, read.notes), (test.scores, test.versions, test.notes)
    )
    self.assertEqual((read.title, validation.title), ("walls (test)", "walls (validation)"))
    self.assertAllEqual(read.samples[1].labels["depth"], test.samples[1].labels["depth"])
    self.assertEqual(read.samples[1].sample_id, "wall-4")
    content = json.loads(pathlib.Path(work_dir, "evaluation.json").read_text())
    self.assertAllClose(
      content["evaluations"][0]["scores"]["depth"]["values"]["abs_rel"], 0.1, atol=1e-5
    )
    self.assertEmpty(list(pathlib.Path(work_dir).glob("**/.tmp-*")))

  def test_damaged_file_is_named(self):
    work_dir = self.create_tempdir().full_path
    pathlib.Path(work_dir, "evaluation.json").write_text('{"evaluations": [{"name": 1}]}')
    with self.assertRaisesRegex(ValueError, "evaluation.json or its samples are damaged"):
      evaluation.read(work_dir)

  def test_unpublished_run_and_double_outputs_raise(self):
    work_dir = self.create_tempdir().full_path
    with self.assertRaisesRegex(ValueError, "No published model in .*exports"):
      evaluator.evaluate_run(work_dir, [_spec()])
    paper_walls.publish(work_dir, modules=["depth"])
    export = exports.newest(work_dir)["depth"]
    with self.assertRaisesRegex(ValueError, "'depth' comes from two modules, 'depth' and 'other'"):
      evaluator.load([export, exports.Export("other", 1, export.path)])

  def test_prediction_of_another_size_raises(self):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, "image")])
    def half(image):
      return {"depth": tf.cast(image[:, ::2, ::2, :1], tf.float32)}

    module.half = half
    path = self.create_tempdir().full_path
    tf.saved_model.save(module, path, signatures={"serving_default": module.half})
    model = exports.Model(exports.Export("depth", 1, path))
    with self.assertRaisesRegex(ValueError, "at the size of the image"):
      model.predict(np.zeros([1, 4, 4, 3], np.uint8))

  def test_motion_of_pairs(self):
    work_dir = self.create_tempdir().full_path
    paper_streets.publish(work_dir, scale=0.5, sideways=0.01)
    [result] = evaluator.evaluate_run(work_dir, [_video_spec()])
    self.assertEqual(result.notes, ())
    scores = {name: scores.values for name, scores in result.scores.items()}
    self.assertAllClose(scores["depth"]["scaled_abs_rel"], 0.0, atol=1e-5)
    # 4 samples of 3 frames, a frame apart: one sequence of 6 frames.
    self.assertEqual(result.scores["ego-motion"].num_images, 6)
    self.assertAllClose(scores["ego-motion"]["rpe_rotation"], np.degrees(0.01), rtol=1e-4)
    self.assertLess(scores["ego-motion"]["rpe_translation"], 0.02 * paper_streets.STEP)
    self.assertAllClose(scores["ego-motion"]["constant_rpe_translation"], 0.0, atol=1e-5)
    # Everything is predicted to move half a metre ahead (or back) where a patch truly moves 1 m.
    self.assertAllClose(scores["object motion"]["moving"], 0.5, atol=1e-5)
    self.assertAllClose(scores["object motion"]["background"], 0.5, atol=1e-5)
    # All is road: half of the pixels are.
    self.assertAllClose(scores["segmentation"]["accuracy"], 50.0)
    self.assertAllClose(scores["segmentation"]["miou"], 25.0)
    [path] = result.trajectories["ego-motion"]
    self.assertAllClose(path.truth[:, 0], paper_streets.STEP * np.arange(6), atol=1e-5)
    self.assertAllClose(result.samples[0].video.predictions["depth"].max(), 5.0)
    [read] = evaluation.read(work_dir)
    self.assertAllEqual(read.trajectories["ego-motion"][0].predicted, path.predicted)

  def test_protocols_that_need_more_than_there_is_are_skipped_with_a_note(self):
    work_dir = self.create_tempdir().full_path
    paper_streets.publish(work_dir, modules=["motion"])
    models = evaluator.load(exports.newest(work_dir).values())
    source = paper_streets.source(labels=["depth"], pose=False)
    result = evaluator.evaluate(models, _video_spec(source, shown=["motion_field"]))
    self.assertEqual(
      result.notes,
      (
        "depth: no model gives depth",
        "segmentation: the data set has no labels for segmentation",
        "ego-motion: the data set has no pose",
        "object motion: the data set has no labels for object_motion, object_motion_back",
      ),
    )
    # Nothing to score, but motion is shown.
    self.assertEqual(result.versions, {"motion": 100})
    self.assertIn("motion_field", result.samples[0].video.predictions)
    first = evaluator.evaluate(models, _video_spec(frames="first"))
    self.assertIn("ego-motion: motion needs samples of 2 or more frames, not of 1", first.notes)

  def test_spec_errors(self):
    with self.assertRaisesRegex(ValueError, "different names"):
      spec.EvaluationSpec("walls", None, protocols=[depth_protocol.DepthProtocol()] * 2)
    with self.assertRaisesRegex(ValueError, "frames must be one of"):
      _spec(frames="last")
    self.assertEqual([s.name for s in spec.select([_spec()])], ["walls"])
    with self.assertRaisesRegex(ValueError, "no evaluation 'doors'. There are: 'walls'"):
      spec.select([_spec()], ["doors"])

  def _models(self, **kwargs):
    work_dir = self.create_tempdir().full_path
    paper_walls.publish(work_dir, **kwargs)
    return evaluator.load(exports.newest(work_dir).values())


if __name__ == "__main__":
  tf.test.main()
