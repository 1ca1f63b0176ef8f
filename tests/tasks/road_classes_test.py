"""Tests of tasks/road_classes.py."""

import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.streets import classes
from tf_taskology.tasks import road_classes


class RoadClassesTest(absltest.TestCase):
  def test_ids_are_the_places_in_the_table(self):
    self.assertEqual([c.id for c in road_classes.CLASSES], list(range(19)))
    self.assertLen({c.name for c in road_classes.CLASSES}, 19)

  def test_published_ids(self):
    # Cityscapes, cityscapesscripts/helpers/labels.py, column trainId.
    published = {"road": 0, "traffic light": 6, "sky": 10, "person": 11, "car": 13, "bicycle": 18}
    for name, number in published.items():
      self.assertEqual(road_classes.IDS[name], number)

  def test_movable_are_people_and_vehicles(self):
    self.assertEqual(road_classes.MOVABLE_IDS, tuple(range(11, 19)))
    groups = road_classes.groups()
    self.assertEqual(groups["people"] + groups["vehicles"], groups["movable"])

  def test_colours_tell_classes_apart(self):
    colours = road_classes.colours()
    self.assertLen(np.unique(colours[:19], axis=0), 19)
    self.assertFalse(colours[road_classes.VOID].any())

  def test_the_streets_world_uses_the_same_table(self):
    self.assertLess(set(classes.CLASSES), set(road_classes.CLASSES))
    self.assertEqual(classes.MOVABLE_IDS, (11, 12, 13, 14, 18))


if __name__ == "__main__":
  absltest.main()
