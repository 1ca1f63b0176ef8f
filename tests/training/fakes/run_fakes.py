"""Launches two fake trainers and fake servers that ask each other; for tests that signal a launcher.

python -m tests.training.fakes.run_fakes WORK_DIR START_METHOD MODE [BINDING ...]
"""

import sys

from tf_taskology.training import commands, launcher, plan, supervision


def main(work_dir, start_method, mode, *bindings):
  options = commands.Options(
    work_dir=work_dir,
    gin_bindings=bindings,
    mode=mode,
    model_server_binary="embedded",
    start_method=start_method,
    report_secs=0.5,
    trainer_program="tests.training.fakes.fake_trainer",
    server_program="tests.training.fakes.fake_server",
    preload=("json",),
    server_patience_secs=1.0,
  )
  modules = (plan.ModulePlan("depth", ("normals",)), plan.ModulePlan("normals", ("depth",)))
  limits = supervision.Limits(restarts_per_minute=4, backoff_secs=0.1)
  result = launcher.launch(options, plan.LaunchPlan(modules), limits=limits)
  print(f"RESULT {result.exit_code} {result.message}", flush=True)
  return result.exit_code


if __name__ == "__main__":
  sys.exit(main(*sys.argv[1:]))
