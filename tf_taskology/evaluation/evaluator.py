"""Runs published models over a data set and applies protocols to their answers."""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from tf_taskology.datasets import element as element_lib, observations, pipeline
from tf_taskology.evaluation import (
  box_samples,
  evaluation as evaluation_lib,
  exports,
  samples as samples_lib,
  spec as spec_lib,
)

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
  dataset = _dataset(spec, split, max_samples)
  protocols, notes = _applicable(spec, models, dataset.element_spec)
  needed = {output for p in protocols for output in p.outputs}
  models = [m for m in models if (needed | set(spec.shown)) & set(m.outputs)]
  for protocol in protocols:
    protocol.reset()
  total = spec.source.num_samples(split)
  total = min(total, max_samples) if max_samples else total
  pictured = np.linspace(0, total - 1, min(num_pictures, total)).round().astype(int)
  samples, sweeps, num_samples = [], [], 0
  observation = observations.of_element(dataset.element_spec)
  for batch in dataset.batch(spec.batch_size).prefetch(1) if models else ():
    size = batch[element_lib.SAMPLE_ID].shape[0]
    chosen = [i for i in range(size) if num_samples + i in pictured]
    asked = [m for m in models if chosen or needed & set(m.outputs)]
    predictions = predict(asked, observation, batch)
    labels = _update(protocols, batch, predictions)
    if element_lib.IMAGE in batch:
      pairs = _pair_outputs(models)
      samples += [samples_lib.from_batch(batch, labels, predictions, pairs, i) for i in chosen]
    else:
      sweeps += [box_samples.from_batch(batch, predictions, i, spec.anchors) for i in chosen]
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
    trajectories={p.name: tuple(p.trajectories()) for p in protocols if p.trajectories()},
    sweeps=tuple(sweeps),
    curves=tuple(curve for p in protocols if p.num_images for curve in p.curves()),
  )


def _update(protocols, batch, predictions) -> dict[str, np.ndarray]:
  """Feeds protocols; returns the labels that they read."""
  labels = {
    name: batch[element_lib.LABELS][name].numpy()
    for name in sorted({name for p in protocols for name in p.labels})
  }
  fields = {name: batch[name].numpy() for name in {name for p in protocols for name in p.fields}}
  for protocol in protocols:
    read = {name: labels[name] for name in protocol.labels}
    read.update({name: fields[name] for name in protocol.fields})
    protocol.update(read, {name: predictions[name] for name in protocol.outputs})
  return labels


def _scores(protocols) -> dict[str, evaluation_lib.Scores]:
  return {
    p.name: evaluation_lib.Scores(p.description, p.metrics, p.result(), p.num_images)
    for p in protocols
    if p.num_images
  }


def _pair_outputs(models: Sequence[exports.Model]) -> set[str]:
  return {output for m in models if m.takes == "pair" for output in m.outputs}


def _applicable(spec: spec_lib.EvaluationSpec, models: Sequence[exports.Model], element_spec):
  """The protocols that can be applied, and a note for each of the others."""
  answered = {output for m in models for output in m.outputs}
  num_frames = next(iter(observations.of_element(element_spec).seen(element_spec).values())).shape[
    0
  ]
  needed = {output: m.min_frames for m in models for output in m.outputs}
  protocols, notes = [], []
  for protocol in spec.protocols:
    unlabelled = [o for o in protocol.labels if o not in spec.source.labels]
    unknown = [f for f in protocol.fields if f not in element_spec]
    unanswered = [o for o in protocol.outputs if o not in answered]
    if unlabelled:
      notes.append(f"{protocol.name}: the data set has no labels for {', '.join(unlabelled)}")
    elif unknown:
      notes.append(f"{protocol.name}: the data set has no {', '.join(unknown)}")
    elif unanswered:
      notes.append(f"{protocol.name}: no model gives {', '.join(unanswered)}")
    elif num_frames < (least := max((needed[o] for o in protocol.outputs), default=1)):
      notes.append(
        f"{protocol.name}: motion needs samples of {least} or more frames, not of {num_frames}"
      )
    else:
      protocols.append(protocol)
  return protocols, notes


def _dataset(spec: spec_lib.EvaluationSpec, split: str, max_samples: int | None) -> tf.data.Dataset:
  """Elements one by one, with what the source knows of them."""
  dataset = spec.source.dataset(split)
  if max_samples:
    dataset = dataset.take(max_samples)
  if spec.frames == "first":
    labels, pose = tuple(spec.source.labels), element_lib.POSE in dataset.element_spec
    kept = observations.of_element(dataset.element_spec).kept
    dataset = dataset.map(lambda element: element_lib.select(element, 1, labels, pose, kept))
  return pipeline.untuned(dataset)


def predict(models: Sequence[exports.Model], observation, batch) -> dict[str, np.ndarray]:
  """Asks models about a batch of samples.

  Args:
    models: what `load` gives; one that needs more frames than there are is not asked.
    observation: what samples show, `observations.of_element`.
    batch: of samples.

  Returns:
    Predictions by output name, [batch, frames or pairs, height, width, channels]; of point clouds
    [batch, frames, ...].
  """
  seen = observation.seen(batch)
  size, frames = next(iter(seen.values())).shape[:2]
  folded, predictions = {}, {}
  for model in models:
    if frames < model.min_frames:
      continue
    if model.takes not in folded:
      folded[model.takes] = observation.fold(seen, model.takes)
    for name, answer in model.predict(folded[model.takes]).items():
      # Answers about sequences have their frames.
      shape = answer.shape if model.takes == "sequence" else (size, -1, *answer.shape[1:])
      predictions[name] = answer.reshape(shape)
  return predictions
