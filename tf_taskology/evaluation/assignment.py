"""Which detection belongs to which truth: pairs of the largest total weight."""

import numpy as np


def best_pairs(weights: np.ndarray) -> list[tuple[int, int]]:
  """Pairs (row, column) of the largest sum of weights, each row and column at most once.

  The Hungarian method (Kuhn 1955) with potentials, on each group of rows and columns that have to
  do with each other; most groups are one pair.

  Args:
    weights: [rows, columns] float; 0 and below: not to be paired.

  Returns:
    Pairs of positive weight, by row.
  """
  rows, columns = np.nonzero(weights > 0)
  if not _contested(rows) and not _contested(columns):
    return list(zip(rows.tolist(), columns.tolist(), strict=True))
  pairs = []
  for group_rows, group_columns in _groups(rows, columns):
    part = np.maximum(weights[np.ix_(group_rows, group_columns)], 0.0)
    for row, column in enumerate(_hungarian(part)):
      if column >= 0 and part[row, column] > 0:
        pairs.append((int(group_rows[row]), int(group_columns[column])))
  return sorted(pairs)


def _contested(indices):
  return indices.size and np.bincount(indices).max() > 1


def _groups(rows, columns):
  """Rows and columns of each connected part of a bipartite graph with the given edges."""
  label = {("row", r): ("row", r) for r in rows.tolist()}
  label.update({("column", c): ("column", c) for c in columns.tolist()})

  def root(node):
    while label[node] != node:
      label[node] = label[label[node]]
      node = label[node]
    return node

  for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
    label[root(("row", row))] = root(("column", column))
  groups = {}
  for node in label:
    groups.setdefault(root(node), {"row": [], "column": []})[node[0]].append(node[1])
  return [(np.sort(group["row"]), np.sort(group["column"])) for group in groups.values()]


def _hungarian(weights):
  """Column of each row, or -1, for the largest sum of non-negative weights."""
  if weights.shape[0] > weights.shape[1]:
    rows = np.full(weights.shape[0], -1)
    for column, row in enumerate(_hungarian(weights.T)):
      rows[row] = column
    return rows
  count, width = weights.shape
  cost = -weights
  row_price, column_price = np.zeros(count), np.zeros(width)
  owner = np.full(width, -1)  # row of each column
  for row in range(count):
    # The cheapest way, through columns that have a row, to one that has none (Dijkstra).
    distance, before = np.full(width, np.inf), np.full(width, -1)
    done = np.zeros(width, bool)
    current, column, reached = row, -1, 0.0
    while True:
      step = reached + cost[current] - row_price[current] - column_price
      shorter = ~done & (step < distance)
      distance[shorter], before[shorter] = step[shorter], column
      column = int(np.argmin(np.where(done, np.inf, distance)))
      reached = distance[column]
      done[column] = True
      current = owner[column]
      if current < 0:
        break
    row_price[row] += reached
    passed = done & (owner >= 0)
    row_price[owner[passed]] += reached - distance[passed]
    column_price[done] -= reached - distance[done]
    while column >= 0:
      following = before[column]
      owner[column] = row if following < 0 else owner[following]
      column = following
  found = np.full(count, -1)
  found[owner[owner >= 0]] = np.flatnonzero(owner >= 0)
  return found
