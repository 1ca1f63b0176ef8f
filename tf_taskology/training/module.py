"""The module: one network as a `keras.Model` whose step joins supervised and consistency losses.

`fit` gets batches of this form (a part may be missing where it is not needed):

  dedicated    image, intrinsics, sample_id, labels                       supervised losses
  mediator     image, intrinsics, sample_id, pose?                        consistency losses
  peers        output name -> [batch, frames, h, w, channels]             other modules' predictions on `mediator`
  peers_info   peer name -> {available, step, published_at: [batch]}      what is known of them
  waiting_secs [batch]                                                    how long the step waited for this batch

Of point clouds, parts have points and num_points in place of image and intrinsics (`datasets.observation`). Peers'
predictions are data: nothing here knows where they come from.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tf_taskology.consistency import consistency_loss
from tf_taskology.datasets import element, observations
from tf_taskology.tasks import task as task_lib
from tf_taskology.training import schedules, term_means


class Module(tf.keras.Model):
  """One network that performs one task or several, trained on its own labels and on what peers say.

  Args:
    network: Keras model, image [n, height, width, 3] float32 in 0..255 -> {task name: raw [n, h, w, channels]}; of
      tasks that take pairs, [n, height, width, 6], see `element.fold`. Of point clouds see `point_observation`.
    tasks: what the network performs, in any order; what they take must go together, see `task.takes_of`.
    relations: consistency losses; the module takes part in those whose `weights` name one of its outputs.
    name: of the module.
    peer_of: output name -> name of the peer that answers it, for the terms that must vanish when it does not.
    xla_losses: compile the losses (never the network: XLA halves the speed of convolutions on CPUs).

  Raises:
    ValueError: tasks take different things, or the network takes something else.
  """

  def __init__(
    self,
    network: tf.keras.Model,
    tasks: Sequence[task_lib.Task],
    relations: Sequence[consistency_loss.ConsistencyLoss] = (),
    *,
    name: str,
    peer_of: Mapping[str, str] | None = None,
    xla_losses: bool = False,
  ):
    super().__init__(name=name)
    self.network = network
    self.tasks = list(tasks)
    self.takes = task_lib.takes_of(tasks)
    self.observation = observations.of_tasks(tasks)
    self.observation.check_network(f"Module {name!r}", network, self.takes)
    self._outputs = {n: output for task in tasks for n, output in task.outputs.items()}
    self.outputs_of_tasks = tuple(self._outputs)
    self.relations = [
      r for r in relations if self._trained_by(r.weights) or self._trained_by(r.labelled_weights)
    ]
    self.mediated = [r for r in self.relations if self._trained_by(r.weights)]
    self.mediator_frames = self.frames_read(self.mediated)
    self.peer_of = dict(peer_of or {})
    self._compute = (
      tf.function(self._compute_terms, jit_compile=True) if xla_losses else self._compute_terms
    )
    self._sees_labels = False
    self._task_metrics = {f"{t.name}/{n}": m for t in tasks for n, m in t.metrics().items()}
    self._term_means = term_means.TermMeans(name="terms")
    self._waiting = tf.keras.metrics.Sum(name="waiting_secs")

  def _trained_by(self, weights) -> bool:
    return any(
      output in self.outputs_of_tasks and not schedules.is_zero(w) for output, w in weights.items()
    )

  def frames_read(self, relations: Sequence[consistency_loss.ConsistencyLoss]) -> int:
    """How many frames of a mediator sample, from the first on, relations read of this module's outputs."""
    return consistency_loss.frames_read(relations, self.outputs_of_tasks)

  @property
  def output_size(self) -> tuple[int, int] | None:
    """(height, width) of the predictions; None if the tasks themselves fix it."""
    return self.observation.output_size(self.network, self.tasks)

  def call(self, seen, training: bool = False) -> dict[str, tf.Tensor]:
    """Predictions by output name.

    Args:
      seen: [batch, frames, height, width, 3] uint8, or float in 0..255; or what the tasks observe, by field.
      training: as in Keras.

    Returns:
      output name -> [batch, frames or pairs, h, w, channels] float32.

    Raises:
      ValueError: pairs of fewer than two frames.
    """
    seen = seen if isinstance(seen, Mapping) else {element.IMAGE: seen}
    folded = self.observation.fold(seen, self.takes)
    return self._unfolded(self._predict_folded(folded, training), _frames(seen))

  def _predict_folded(self, folded, training):
    """Predictions [n, ...] on what `Observation.fold` gives."""
    return self.observation.predict(self.network, self.tasks, folded, training)

  def _unfolded(self, predictions, num_frames):
    return self.observation.unfold(predictions, self.takes, num_frames)

  def predict_parts(self, batch: Mapping, training: bool) -> dict[str, dict[str, tf.Tensor]]:
    """Predictions on the dedicated and the mediator samples, in one pass where they have one shape.

    One pass gives batch normalisation statistics of both domains together, and keeps the cores busier. Of mediator
    samples only the first `mediator_frames` are looked at, those that a relation reads of this module.
    """
    seen = {
      part: self.observation.seen_by_own(batch[part])
      for part in ("dedicated", "mediator")
      if part in batch and (part == "dedicated" or self.mediator_frames)
    }
    if "mediator" in seen:
      seen["mediator"] = {
        field: value[:, : self.mediator_frames] for field, value in seen["mediator"].items()
      }
    folded = {part: self.observation.fold(shown, self.takes) for part, shown in seen.items()}
    shapes = {tuple((n, *v.shape[1:]) for n, v in fields.items()) for fields in folded.values()}
    if len(seen) < 2 or len(shapes) > 1:
      return {
        part: self._unfolded(self._predict_folded(fields, training), _frames(seen[part]))
        for part, fields in folded.items()
      }
    together = {
      field: tf.concat([fields[field] for fields in folded.values()], axis=0)
      for field in self.observation.inputs
    }
    predictions = self._predict_folded(together, training)
    counts = [tf.shape(next(iter(fields.values())))[0] for fields in folded.values()]
    split = {name: tf.split(value, counts) for name, value in predictions.items()}
    return {
      part: self._unfolded({n: pieces[i] for n, pieces in split.items()}, _frames(shown))
      for i, (part, shown) in enumerate(seen.items())
    }

  def compute_terms(
    self, batch: Mapping, own: Mapping, step: tf.Tensor
  ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The loss to minimise and its terms.

    Args:
      batch: as in the module's docstring, without strings.
      own: what `predict_parts` gave.
      step: global step, for schedules.

    Returns:
      Scalar float32, and unweighted terms by name ("<task>/<term>", "<relation>/<term>").
    """
    return self._compute(without_strings(batch), own, tf.cast(step, tf.float32))

  def _compute_terms(self, batch, own, step):
    terms = {}
    total = tf.constant(0.0)
    if "dedicated" in own:
      predictions = own["dedicated"]
      labels = self._labels(batch)
      for task in self.tasks:
        for name, value in task.loss(labels, predictions).items():
          terms[f"{task.name}/{name}"] = value
          total += value
    for relation in self.relations:
      total += self._relation_terms(relation, batch, own, step, terms)
    return total, terms

  def _labels(self, batch):
    """Labels of the dedicated samples, at the resolution of the predictions."""
    return self.observation.at_size(batch["dedicated"][element.LABELS], self.output_size)

  def _relation_terms(self, relation, batch, own, step, terms):
    total = tf.constant(0.0)
    prefix = relation.name
    weight = self._weight(relation.weights, step)
    if "mediator" in own and weight is not None:
      mine = own["mediator"]
      others = {
        n: p for n, p in batch.get("peers", {}).items() if n in relation.needs and n not in mine
      }
      available = tf.constant(1.0)
      for name in others:
        info = batch.get("peers_info", {}).get(self.peer_of.get(name))
        if info is not None:
          available *= tf.reduce_mean(tf.cast(info["available"], tf.float32))
      predictions = {**{n: tf.stop_gradient(p) for n, p in others.items()}, **mine}
      for name, value in relation(predictions, batch["mediator"]).items():
        terms[f"{prefix}/{name}"] = value
        total += weight * available * value
    weight = self._weight(relation.labelled_weights, step)
    if "dedicated" in own and weight is not None:
      mine = own["dedicated"]
      labels = self._labels(batch)
      labels = {n: label for n, label in labels.items() if n in relation.needs and n not in mine}
      for name, value in relation(mine, batch["dedicated"], labels).items():
        terms[f"{prefix}/labelled_{name}"] = value
        total += weight * value
    return total

  def _weight(self, weights, step):
    """The weight with which a relation trains this module; None if it does not."""
    mine = [
      w
      for output, w in weights.items()
      if output in self.outputs_of_tasks and not schedules.is_zero(w)
    ]
    return tf.add_n([schedules.weight_at(w, step) for w in mine]) if mine else None

  def train_step(self, batch: Mapping) -> dict[str, tf.Tensor]:
    step = self.optimizer.iterations
    with tf.GradientTape() as tape:
      own = self.predict_parts(batch, training=True)
      total, terms = self.compute_terms(batch, own, step)
      scaled = self.scaled(total)
    self.apply_gradients(tape.gradient(scaled, self.network.trainable_variables), total, batch)
    self.record(total, terms, batch, own)
    return self.results()

  def scaled(self, total: tf.Tensor) -> tf.Tensor:
    """What gradients are taken of: replicas' are summed, and in half precision small ones must not vanish."""
    total /= tf.distribute.get_strategy().num_replicas_in_sync
    return self.optimizer.get_scaled_loss(total) if self._scales_loss else total

  @property
  def _scales_loss(self):
    return isinstance(self.optimizer, tf.keras.mixed_precision.LossScaleOptimizer)

  def apply_gradients(self, gradients, total: tf.Tensor, batch: Mapping):
    """Takes the optimiser's step, unless the loss is not a number: then training stops, weights untouched."""
    ids = [
      batch[part][element.SAMPLE_ID]
      for part in ("dedicated", "mediator")
      if element.SAMPLE_ID in batch.get(part, {})
    ]
    finite = tf.debugging.Assert(
      tf.math.is_finite(total), [NOT_FINITE, self.name, "samples:", *ids], summarize=64
    )
    if self._scales_loss:
      gradients = self.optimizer.get_unscaled_gradients(gradients)
    # All of the step depends on the loss. The count of steps would else run ahead where the batch or the loss fails.
    with tf.control_dependencies([finite] if finite is not None else []):
      self.optimizer.apply_gradients(zip(gradients, self.network.trainable_variables, strict=True))

  def record(self, total, terms, batch, own):
    """Feeds the metrics that `fit` shows."""
    self._term_means.update_state({"loss": total, **terms})
    if "dedicated" in own:
      self._sees_labels = True
      labels = self._labels(batch)
      for metric in self._task_metrics.values():
        metric.update(labels, own["dedicated"])
    if "waiting_secs" in batch:
      self._waiting.update_state(tf.reduce_mean(batch["waiting_secs"]))

  def results(self) -> dict[str, tf.Tensor]:
    """What `record` has gathered since the metrics were reset, by name."""
    results = self._term_means.by_name()
    if self._sees_labels:
      results.update({name: metric.result() for name, metric in self._task_metrics.items()})
    results[self._waiting.name] = self._waiting.result()
    return results

  @property
  def metrics(self):
    return [self._term_means, *self._task_metrics.values(), self._waiting]


NOT_FINITE = "The loss is not a finite number. Module:"


def without_strings(batch: Mapping) -> dict:
  """A nested batch without its string tensors, which XLA cannot take."""
  result = {}
  for name, value in batch.items():
    if isinstance(value, Mapping):
      result[name] = without_strings(value)
    elif value.dtype != tf.string:
      result[name] = value
  return result


def _frames(seen: Mapping) -> int:
  """Frames of what is seen, by field [batch, frames, ...]."""
  return next(iter(seen.values())).shape[1]
