import itertools

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.evaluation import assignment


def best_total(weights):
  """By trying everything."""
  if weights.shape[0] > weights.shape[1]:
    weights = weights.T
  rows, columns = weights.shape
  return max(
    sum(max(weights[r, c], 0) for r, c in enumerate(order))
    for order in itertools.permutations(range(columns), rows)
  )


class AssignmentTest(parameterized.TestCase):
  @parameterized.product(shape=((1, 1), (2, 5), (5, 2), (4, 4), (6, 5)), share=(0.0, 0.5, 0.8))
  def test_total_is_the_largest_there_is(self, shape, share):
    random = np.random.RandomState(sum(shape))
    for _ in range(20):
      weights = np.where(random.uniform(size=shape) < share, 0, random.uniform(size=shape))
      pairs = assignment.best_pairs(weights)
      self.assertAlmostEqual(sum(weights[p] for p in pairs), best_total(weights), places=12)
      for side in range(2):
        self.assertLen({pair[side] for pair in pairs}, len(pairs))
      self.assertTrue(all(weights[pair] > 0 for pair in pairs))

  def test_greedy_would_be_wrong(self):
    weights = np.array([[0.9, 0.8], [0.8, 0.0]])
    self.assertEqual(assignment.best_pairs(weights), [(0, 1), (1, 0)])

  @parameterized.parameters((0, 0), (3, 0), (0, 2), (2, 2))
  def test_nothing_to_pair(self, rows, columns):
    self.assertEqual(assignment.best_pairs(np.zeros([rows, columns])), [])


if __name__ == "__main__":
  absltest.main()
