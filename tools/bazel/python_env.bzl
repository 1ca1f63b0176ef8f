"""The repository rule behind @python_env: the interpreter that runs the project's Python."""

_BUILD = """\
load("@bazel_tools//tools/python:toolchain.bzl", "py_runtime_pair")

py_runtime(
    name = "runtime",
    interpreter_path = "{python}",
    python_version = "PY3",
    stub_shebang = "#!{python}",
)

py_runtime_pair(
    name = "runtimes",
    py3_runtime = ":runtime",
)

toolchain(
    name = "toolchain",
    toolchain = ":runtimes",
    toolchain_type = "@bazel_tools//tools/python:toolchain_type",
)
"""

def _python_env_impl(repository_ctx):
    script = repository_ctx.path(repository_ctx.attr._script)
    lock = repository_ctx.path(repository_ctx.attr.lock)
    starter = None
    for name in ["python3", "python3.11", "python3.10"]:
        starter = starter or repository_ctx.which(name)
    if not starter:
        fail("No python3 on PATH: install Python 3.11 or 3.10.")

    # The packages take minutes on a slow connection; Bazel's own limit is ten minutes.
    result = repository_ctx.execute([starter, script, "--lock=%s" % lock], timeout = 3600)
    if result.return_code != 0:
        fail(result.stderr)
    repository_ctx.file("BUILD", _BUILD.format(python = result.stdout.strip()))

python_env = repository_rule(
    implementation = _python_env_impl,
    attrs = {
        "lock": attr.label(
            allow_single_file = True,
            doc = "requirements.lock: every package with its version and hashes.",
            mandatory = True,
        ),
        "_script": attr.label(
            allow_single_file = True,
            default = Label("//tools/bazel:python_env.py"),
        ),
    },
    doc = "Makes or finds the Python environment of a lock file and declares it as a toolchain.",
    environ = [
        "HOME",
        "TASKOLOGY_PYTHON",
        "XDG_CACHE_HOME",
    ],
)
