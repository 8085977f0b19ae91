"""Names of variables of the environment that several parts read."""

TRACEBACK_VARIABLE = "LAMBDA_VLLM_TRACEBACK"
"""Set, it brings tracebacks back. `entry_point` has the same name: it may import nothing of this package."""
