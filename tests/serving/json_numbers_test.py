import json

import numpy as np
from absl.testing import absltest, parameterized

from serving import json_numbers

_FLOATS = {
  "uniform": lambda rng: rng.random(20000),
  "normal": lambda rng: rng.normal(size=20000) * 100,
  "all_exponents": lambda rng: rng.integers(0, 2**32, 40000, np.uint32).view(np.float32),
  "decimals": lambda rng: rng.integers(0, 10**6, 20000) / 10.0 ** rng.integers(0, 10, 20000),
  "integers": lambda rng: rng.integers(-(10**9), 10**9, 20000),
  "powers": lambda rng: 10.0 ** rng.uniform(-6, 10, 20000),
  "near_powers": lambda rng: np.nextafter(
    np.float32(10.0) ** rng.integers(-5, 9, 5000).astype(np.float32),
    np.float32(rng.choice([0, 1e9])),
  ),
  "halves": lambda rng: rng.random(20000).astype(np.float16),
  "special": lambda rng: (
    [0.0, -0.0, 0.1, 1.0, 99999.95, 999999.0, 999999.5, 1e6, 1e8, 1e9, 1e-4, 9.9999997e-5]
    + [float("nan"), float("inf"), -float("inf"), 1e-45, 3.4e38, 16777216.0, 8388607.5, 0.5]
  ),
}


def _reference(value: float, number: type, digits: int) -> str:
  """The rule, as tensorflow/serving's WriteDecimal states it."""
  if np.isnan(value):
    return "NaN"
  if np.isinf(value):
    return "Infinity" if value > 0 else "-Infinity"
  text = f"{value:.6g}"
  if number(text) != number(value):
    text = f"{value:.{digits}g}"
  if "." not in text and "e" not in text:
    text += ".0"
  return text


class JsonNumbersTest(parameterized.TestCase):
  @parameterized.named_parameters(*_FLOATS.items())
  def test_floats_follow_the_rule(self, make):
    values = np.array(make(np.random.default_rng(0)), np.float32)
    got = b"".join(json_numbers.nested_lists(values)).decode()
    expected = [_reference(value, np.float32, 9) for value in values.tolist()]
    self.assertEqual(got[1:-1].split(", "), expected)
    read = np.array(json.loads(got), np.float32)
    np.testing.assert_array_equal(read, values)

  def test_doubles_follow_the_rule(self):
    rng = np.random.default_rng(0)
    values = np.concatenate(
      [rng.integers(0, 2**64, 3000, np.uint64).view(np.float64), rng.random(2000), [0.5, 1e6]]
    )
    got = b"".join(json_numbers.nested_lists(values)).decode()
    expected = [_reference(value, float, 17) for value in values.tolist()]
    self.assertEqual(got[1:-1].split(", "), expected)
    np.testing.assert_array_equal(np.array(json.loads(got)), values)

  @parameterized.parameters(
    [[1]], [[3]], [[2, 3]], [[1, 1, 1]], [[40, 1, 7, 1]], [[70000]], [[17, 61, 67]], [[1, 70001]]
  )
  def test_lists_are_nested_as_the_array_is(self, shape):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 8
    for dtype in (np.float32, np.float64):
      text = b"".join(json_numbers.nested_lists(values.astype(dtype))).decode()
      self.assertEqual(json.loads(text), values.tolist())
      self.assertEqual(text, json.dumps(json.loads(text)))

  @parameterized.parameters((1.0, "1.0"), (0.1, "0.1"), (1e20, "1e+20"), (-2.5, "-2.5"))
  def test_single_numbers(self, value, text):
    self.assertEqual(json_numbers.text(float(np.float32(value))), text)
    self.assertEqual(json_numbers.text(value, 17), text)


if __name__ == "__main__":
  absltest.main()
