"""Command lines of trainers and model servers."""

import os
import socket
import stat

from absl.testing import absltest, parameterized

from tf_taskology.training import commands, plan

_PLAN = plan.LaunchPlan(
  (plan.ModulePlan("depth", ("normals", "teacher")), plan.ModulePlan("normals", ("depth",)))
)
_TEACHER = "teacher=10.0.0.9:8500,10.0.0.8:8500"


class CommandsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.work_dir = self.create_tempdir().full_path

  def commands(self, launch_plan=_PLAN, **fields):
    defaults = {"peers": (_TEACHER,), "model_server_binary": "embedded"}
    options = commands.Options(self.work_dir, **{**defaults, **fields})
    return commands.Commands(options, launch_plan)

  def test_distributed_trainer_knows_its_peers(self):
    lines = self.commands(gin_files=("a.gin", "b.gin"), gin_bindings=("STEPS = 5",), threads=3)
    spec = lines.trainer("depth")
    self.assertEqual(
      spec.arguments,
      (
        "--gin_file=a.gin",
        "--gin_file=b.gin",
        "--gin_binding=STEPS = 5",
        f"--work_dir={self.work_dir}",
        "--mode=distributed",
        "--threads=3",
        "--module=depth",
        f"--peer=normals=127.0.0.1:{lines.ports['normals']}",
        f"--peer={_TEACHER}",
      ),
    )
    self.assertEqual((spec.module, spec.lock_path), ("tf_taskology.train", ""))
    self.assertEqual(lines.asking("depth"), ["normals"])

  def test_isolated_and_synchronous_trainers_have_no_peers(self):
    isolated = self.commands(mode="isolated", threads=1)
    self.assertEqual((isolated.trainers, isolated.servers), (("depth", "normals"), ()))
    self.assertEqual(isolated.trainer("depth").arguments[-1], "--module=depth")
    synchronous = self.commands(mode="synchronous")
    self.assertEqual((synchronous.trainers, synchronous.servers), (("collective",), ()))
    self.assertEqual(
      synchronous.trainer("collective").arguments,
      (f"--work_dir={self.work_dir}", "--mode=synchronous", "--threads=0"),
    )

  @parameterized.parameters((8, 4), (2, 1), (1, 1))
  def test_cpus_are_shared_among_trainers(self, cpus, threads):
    with absltest.mock.patch.object(os, "sched_getaffinity", lambda pid: range(cpus)):
      self.assertIn(f"--threads={threads}", self.commands().trainer("depth").arguments)

  def test_modules_of_larger_shares_get_more_threads_and_priority(self):
    modules = [plan.ModulePlan(n, (), share) for n, share in (("a", 2.0), ("b", 1.0), ("c", 1.0))]
    lines = self.commands(plan.LaunchPlan(tuple(modules)), peers=())
    for cpus, threads in ((8, (4, 2, 2)), (2, (1, 1, 1))):
      with absltest.mock.patch.object(os, "sched_getaffinity", lambda pid, cpus=cpus: range(cpus)):
        for name, count in zip("abc", threads, strict=True):
          self.assertIn(f"--threads={count}", lines.trainer(name).arguments)
          self.assertIn(f"--tensorflow_intra_op_parallelism={count}", lines.server(name).arguments)
    # 1.25 to the power of 3 is near 2.
    self.assertEqual([lines.trainer(name).nice for name in "abc"], [0, 3, 3])
    self.assertEqual(lines.server("b").nice, 0)

  def test_server_serves_the_exports_of_its_module(self):
    lines = self.commands(threads=2)
    spec = lines.server("depth")
    exports = os.path.join(self.work_dir, "exports", "depth")
    self.assertTrue(os.path.isdir(exports))
    self.assertEqual(
      spec.arguments,
      (
        f"--port={lines.ports['depth']}",
        "--model_name=depth",
        f"--model_base_path={exports}",
        "--file_system_poll_wait_seconds=1",
        "--tensorflow_intra_op_parallelism=2",
      ),
    )
    self.assertEqual(
      spec.serves, tuple(os.path.join(self.work_dir, f) for f in ("lock", "depth/lock", "normals/lock"))
    )  # fmt: skip
    self.assertEqual(spec.module, "serving.model_server")

  def test_real_server_is_used_when_it_is_there(self):
    binary = os.path.join(self.work_dir, "tensorflow_model_server")
    with open(binary, "w") as file:
      file.write("#!/bin/sh\n")
    os.chmod(binary, stat.S_IRWXU)
    with absltest.mock.patch.dict(os.environ, {"PATH": self.work_dir}):
      for name in ("auto", "tensorflow_model_server", binary):
        spec = self.commands(model_server_binary=name).server("depth")
        self.assertEqual((spec.binary, spec.module), (binary, ""))
      self.assertEqual(self.commands(model_server_binary="embedded").server("depth").binary, "")
    with absltest.mock.patch.dict(os.environ, {"PATH": "/nowhere"}):
      self.assertEqual(self.commands(model_server_binary="auto").server("depth").binary, "")

  @parameterized.parameters(
    ({"mode": "odd"}, "Options.mode must be one of .* Received: 'odd'"),
    ({"start_method": "odd"}, "Options.start_method must be one of .* Received: 'odd'"),
    ({"threads": -1}, "Options.threads must be None or >= 0. Received: -1"),
    ({"model_server_binary": "/nowhere/x"}, "must be an executable file .* '/nowhere/x'"),
    ({"peers": ()}, "need predictions of teacher, .* --peer=teacher=host:port"),
    ({"peers": (_TEACHER, "x=a:1")}, "address for x, but .* They need: teacher"),
    ({"peers": ("teacher",)}, "form name=host:port.* Received: 'teacher'"),
  )
  def test_refuses(self, fields, message):
    with self.assertRaisesRegex(ValueError, message):
      self.commands(**fields)

  def test_work_dir_is_where_the_command_was_typed(self):
    with absltest.mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": "/home/me"}):
      self.assertEqual(commands.Options("runs/a").work_dir, "/home/me/runs/a")
      self.assertEqual(commands.Options("/data/a").work_dir, "/data/a")

  def test_plan_comes_back_from_json(self):
    self.assertEqual(plan.LaunchPlan.from_json(_PLAN.to_json()), _PLAN)

  def test_server_moves_only_if_its_port_is_taken(self):
    lines = self.commands()
    port = lines.ports["depth"]
    self.assertFalse(lines.move_server_if_port_is_taken("depth"))
    with socket.socket() as intruder:
      intruder.bind(("127.0.0.1", port))
      intruder.listen()
      self.assertTrue(lines.move_server_if_port_is_taken("depth"))
    self.assertNotIn(port, lines.ports.values())

  def test_environment_leaves_the_callers_choice(self):
    with absltest.mock.patch.dict(os.environ, {"TF_CPP_MIN_LOG_LEVEL": "0"}):
      self.assertNotIn("TF_CPP_MIN_LOG_LEVEL", commands.environment())
    with absltest.mock.patch.dict(os.environ, clear=True):
      self.assertEqual(commands.environment()["TF_CPP_MIN_LOG_LEVEL"], "3")


if __name__ == "__main__":
  absltest.main()
