"""A SavedModel with the signatures that the REST tests call."""

import os

import tensorflow as tf

ECHOED = (
  *("float", "double", "half", "bfloat16", "complex64", "string", "bool"),
  *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)
_DTYPES = {"float": tf.float32, "double": tf.float64, "half": tf.float16}


class _Echo(tf.Module):
  """Gives back what it gets."""

  def __init__(self, dtype: tf.DType):
    super().__init__()
    self._dtype = dtype
    self.call = tf.function(
      lambda x: {"y": tf.identity(x)}, input_signature=[tf.TensorSpec(None, dtype, "x")]
    )


class _Examples(tf.Module):
  """Linear functions of a feature `x` of tf.Examples."""

  def __init__(self):
    super().__init__()
    self._weights = tf.Variable([[1.0, 2.0]])

  def _parsed(self, inputs):
    features = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([1], tf.float32, [0.5])})
    return features["x"] @ self._weights

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
  def classify(self, inputs):
    """x -> labels a and b, scores x and 2 x."""
    scores = self._parsed(inputs)
    return {"classes": tf.repeat([["a", "b"]], tf.shape(scores)[0], 0), "scores": scores}

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
  def regress(self, inputs):
    """x -> 2 x."""
    return {"outputs": self._parsed(inputs)[:, 1]}


class _Various(tf.Module):
  """Several inputs and outputs."""

  @tf.function(
    input_signature=[
      tf.TensorSpec([None], tf.string, "text"),
      tf.TensorSpec([None, 2], tf.float32, "pair"),
    ]
  )
  def named(self, text, pair):
    """Strings [n] and floats [n, 2] -> the strings as text and bytes, and the sums of the pairs."""
    return {"text": text, "raw_bytes": text + "!", "sum": tf.reduce_sum(pair, -1)}

  @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
  def uneven(self, x):
    """Outputs of unequal batch size."""
    return {"a": x, "b": tf.concat([x, x], 0)}

  @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
  def scalar(self, x):
    """An output without batch."""
    return {"sum": tf.reduce_sum(x)}

  @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
  def grid(self, x):
    """float [n] -> [n, 64, 64, 2]."""
    return {"y": x[:, None, None, None] * tf.ones([1, 64, 64, 2])}

  @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "steps")])
  def slow(self, steps):
    """Takes time in proportion to `steps`."""
    matrix = tf.linalg.diag(tf.ones([64]))
    for _ in tf.range(steps):
      matrix = matrix @ matrix
    return {"trace": tf.linalg.trace(matrix)}


class Model(tf.Module):
  """All of the above."""

  def __init__(self):
    super().__init__()
    self.echoes = {
      name: _Echo(_DTYPES[name] if name in _DTYPES else tf.as_dtype(name)) for name in ECHOED
    }
    self.examples = _Examples()
    self.various = _Various()


def export(path: str) -> str:
  """Writes a Model; the version appears whole, by a rename. Returns its path."""
  model = Model()
  various = model.various
  signatures = {
    "serving_default": model.echoes["float"].call,
    "classify": model.examples.classify,
    "regress": model.examples.regress,
    "named": various.named,
    "uneven": various.uneven,
    "scalar": various.scalar,
    "grid": various.grid,
    "slow": various.slow,
  }
  signatures |= {f"echo_{name}": echo.call for name, echo in model.echoes.items()}
  aside = os.path.join(os.path.dirname(path), ".aside-" + os.path.basename(path))
  tf.saved_model.save(model, aside, signatures)
  os.rename(aside, path)
  return path
