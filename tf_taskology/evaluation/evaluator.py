"""Runs published models over a data set and applies protocols to their answers."""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from tf_taskology.datasets import element as element_lib
from tf_taskology.evaluation import evaluation as evaluation_lib, exports, spec as spec_lib

NUM_PICTURES = 6


def evaluate_run(
  work_dir: str | os.PathLike,
  specs: Iterable[spec_lib.EvaluationSpec],
  split: str | None = None,
  max_samples: int | None = None,
  num_pictures: int = NUM_PICTURES,
) -> list[evaluation_lib.Evaluation]:
  """Evaluates the newest published models of a run and writes the result into its work folder.

  Args:
    work_dir: the run's folder, with `exports/<module>/<version>/`.
    specs: what to evaluate on.
    split: takes the place of every spec's split, if given.
    max_samples: takes the place of every spec's `max_samples`, if given.
    num_pictures: samples to keep for pictures.

  Returns:
    One evaluation per spec, in their order.

  Raises:
    ValueError: if nothing is published, two modules perform one output, or a model cannot be asked.
  """
  models = load(exports.newest(work_dir).values())
  evaluations = [
    evaluate(models, s, split=split, max_samples=max_samples, num_pictures=num_pictures)
    for s in specs
  ]
  evaluation_lib.write(work_dir, evaluations)
  return evaluations


def load(published: Iterable[exports.Export]) -> list[exports.Model]:
  """Loads models that together answer every output at most once."""
  models, performers = [], {}
  for export in published:
    model = exports.Model(export)
    for output in model.outputs:
      if output in performers:
        raise ValueError(
          f"Output {output!r} comes from two modules, {performers[output]!r} and {export.module!r}; "
          "evaluate them in separate work folders."
        )
      performers[output] = export.module
    models.append(model)
  return models


def evaluate(
  models: Sequence[exports.Model],
  spec: spec_lib.EvaluationSpec,
  split: str | None = None,
  max_samples: int | None = None,
  num_pictures: int = NUM_PICTURES,
) -> evaluation_lib.Evaluation:
  """Evaluates models on one data set, at the full resolution of its labels.

  Protocols that need a label that the source lacks, or an output that no model gives, are skipped with a note.

  Args:
    models: what `load` gives.
    spec: the data set and the protocols.
    split: in place of `spec.split`.
    max_samples: in place of `spec.max_samples`.
    num_pictures: samples to keep for pictures; 0 for none.
  """
  split = split or spec.split
  max_samples = max_samples or spec.max_samples
  protocols, notes = _applicable(spec, models)
  needed = sorted({output for p in protocols for output in p.outputs})
  models = [m for m in models if set(needed) & set(m.outputs)]
  for protocol in protocols:
    protocol.reset()
  total = spec.source.num_samples(split)
  total = min(total, max_samples) if max_samples else total
  pictured = np.linspace(0, total - 1, min(num_pictures, total)).round().astype(int)
  samples, num_samples = [], 0
  for batch in _batches(spec, split, max_samples) if models else ():
    labels = {name: batch[element_lib.LABELS][name].numpy() for name in needed}
    predictions = _predict(models, batch[element_lib.IMAGE])
    for protocol in protocols:
      protocol.update(
        *({o: arrays[o] for o in protocol.outputs} for arrays in (labels, predictions))
      )
    size = batch[element_lib.IMAGE].shape[0]
    samples += [
      _sample(batch, labels, predictions, i) for i in range(size) if num_samples + i in pictured
    ]
    num_samples += size
  scores = _scores(protocols)
  notes += [
    f"{p.name}: no labelled pixel in {num_samples} samples" for p in protocols if not p.num_images
  ]
  for note in notes:
    logging.warning("Evaluation %s (%s): %s", spec.name, split, note)
  return evaluation_lib.Evaluation(
    name=spec.name,
    split=split,
    versions={m.export.module: m.export.version for m in models},
    num_samples=num_samples,
    scores=scores,
    notes=tuple(notes),
    samples=tuple(samples),
  )


def _scores(protocols) -> dict[str, evaluation_lib.Scores]:
  return {
    p.name: evaluation_lib.Scores(p.description, p.metrics, p.result(), p.num_images)
    for p in protocols
    if p.num_images
  }


def _applicable(spec: spec_lib.EvaluationSpec, models: Sequence[exports.Model]):
  """The protocols that can be applied, and a note for each of the others."""
  answered = {output for m in models for output in m.outputs}
  protocols, notes = [], []
  for protocol in spec.protocols:
    unlabelled = [o for o in protocol.outputs if o not in spec.source.labels]
    unanswered = [o for o in protocol.outputs if o not in answered]
    if unlabelled:
      notes.append(f"{protocol.name}: the data set has no labels for {', '.join(unlabelled)}")
    elif unanswered:
      notes.append(f"{protocol.name}: no model gives {', '.join(unanswered)}")
    else:
      protocols.append(protocol)
  return protocols, notes


def _batches(spec: spec_lib.EvaluationSpec, split: str, max_samples: int | None) -> tf.data.Dataset:
  num_frames = 1 if spec.frames == "first" else spec.source.num_frames
  dataset = spec.source.dataset(split)
  if max_samples:
    dataset = dataset.take(max_samples)
  labels = tuple(spec.source.labels)
  dataset = dataset.map(lambda element: element_lib.select(element, num_frames, labels, pose=False))
  return dataset.batch(spec.batch_size).prefetch(1)


def _predict(models: Sequence[exports.Model], images: tf.Tensor) -> dict[str, np.ndarray]:
  """Predictions by output name, [batch, frames, height, width, channels]."""
  batch, frames = images.shape[:2]
  folded = element_lib.fold_frames(images)
  predictions = {}
  for model in models:
    for name, answer in model.predict(folded).items():
      predictions[name] = answer.reshape(batch, frames, *answer.shape[1:])
  return predictions


def _sample(batch: Mapping, labels: Mapping, predictions: Mapping, i: int) -> evaluation_lib.Sample:
  return evaluation_lib.Sample(
    sample_id=batch[element_lib.SAMPLE_ID][i].numpy().decode(),
    image=batch[element_lib.IMAGE][i, 0].numpy(),
    intrinsics=batch[element_lib.INTRINSICS][i, 0].numpy(),
    labels={name: array[i, 0] for name, array in labels.items()},
    predictions={name: array[i, 0] for name, array in predictions.items()},
  )
