"""What single releases of vLLM do otherwise than the pinned ones. versions.py checks settings against it."""

OFFLOAD_IGNORED = ("0.26.", "0.27.")
"""Releases whose default runner puts all weights on the GPU in spite of `--cpu-offload-gb` (measured with 0.26.0)."""

WITHOUT_AUTO_CONTEXT = ("0.6.",)
"""Releases that take no `auto` for the length of the context."""

WITHOUT_SHUTDOWN_TIMEOUT = ("0.6.",)
"""Releases that do not know `--shutdown-timeout`; the source of 0.19.1 has it (engine/arg_utils.py)."""
