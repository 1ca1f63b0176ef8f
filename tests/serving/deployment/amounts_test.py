"""Tests of deployment/amounts.py."""

from absl.testing import absltest, parameterized

from serving.deployment import amounts, plan

_MODULES = {"depth": 1.0, "normals": 1.0}


class AmountsTest(parameterized.TestCase):
  def test_for_all_and_for_one(self):
    read = amounts.read(
      _MODULES,
      {"cpu": ["normals=4", "3"], "replicas": ["depth=2"], "memory": ["1Gi", "2Gi"], "workers": []},
    )
    self.assertEqual(read["normals"], amounts.Amounts(cpu=4, memory="2Gi"))
    self.assertEqual(read["depth"], amounts.Amounts(cpu=3, memory="2Gi", replicas=2))

  def test_shares_count_where_flags_do_not_say(self):
    shares = {"depth": 1.0, "normals": 2.0}
    cpus = lambda flags: [made.cpu for made in amounts.read(shares, flags).values()]
    self.assertEqual(cpus({}), [1.33, 2.67])
    self.assertEqual(cpus({"cpu": ["depth=4"]}), [4, 2.67])
    self.assertEqual(cpus({"cpu": ["4"]}), [4, 4])

  @parameterized.parameters(("500m", 0.5, 1), ("2.5", 2.5, 2), ("4", 4.0, 4), ("0.1", 0.1, 1))
  def test_processors_and_threads(self, text, cpu, threads):
    read = amounts.read(_MODULES, {"cpu": [text], "server_cpu": [text]})["depth"]
    self.assertEqual((read.cpu, read.threads, read.server_threads), (cpu, threads, threads))

  @parameterized.parameters(
    ("cpu", "normal=4", "--cpu=normal=4: there is no module 'normal'. Did you mean 'normals'. The modules are: depth, normals"),
    ("cpu", "x=4", "there is no module 'x'. The modules are: depth, normals"),
    ("cpu", "many", "--cpu must be a number of processors, such as 4 .*or module=.* Received: 'many'"),
    ("cpu", "depth=0", "--cpu must be .* Received: 'depth=0'"),
    ("cpu", "nan", "--cpu must be"),
    ("workers", "0", "--workers must be a whole number >= 1.* Received: '0'"),
    ("replicas", "1.5", "--replicas must be a whole number >= 1"),
    ("gpus", "-1", "--gpus must be a whole number >= 0"),
    ("memory", "4GB", "--memory must be an amount, such as 4Gi or 512Mi.* Received: '4GB'"),
  )  # fmt: skip
  def test_refuses(self, field, value, message):
    with self.assertRaisesRegex(plan.DeployError, message):
      amounts.read(_MODULES, {field: [value]})


if __name__ == "__main__":
  absltest.main()
