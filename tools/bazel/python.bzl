"""The project's Python rules, loaded by every BUILD file.

Where the rules come from (built into Bazel, or @rules_python one day) is said here and nowhere else.
"""

def py_library(**kwargs):
    """One module, a library of one source file."""
    native.py_library(**kwargs)

def py_binary(name, srcs, **kwargs):
    """One program; other rules may depend on it as on a library."""
    native.py_binary(
        name = name,
        srcs = srcs,
        main = srcs[0],
        **kwargs
    )

def py_test(name, srcs, size = "small", **kwargs):
    """One test file; small means at most five minutes (.bazelrc)."""
    native.py_test(
        name = name,
        size = size,
        srcs = srcs,
        main = srcs[0],
        **kwargs
    )
