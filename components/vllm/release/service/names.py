"""Names by which the service tells vLLM something: flags of `vllm serve`, variables, loggers.

A test holds them against the lists of every release that is pinned.
"""

CONFIG, HOST, MIDDLEWARE = "--config", "--host", "--middleware"
CERTIFICATE, CERTIFICATE_KEY, CERTIFICATE_REFRESH = "--ssl-certfile", "--ssl-keyfile", "--enable-ssl-refresh"
"""With the last, vLLM reads a new certificate by itself."""

ON_CPU = ("--tensor-parallel-size", "1", "--cpu-offload-gb", "0")
"""In the place of what the settings say for a GPU; a flag in the command line wins over the file."""

VARIABLES = {"VLLM_NO_USAGE_STATS": "1"}
"""What every server gets of vLLM's own, where the user says nothing else."""
CPU_VARIABLES = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
"""Without a size vLLM reserves nearly all memory for the KV cache; with bound threads it wants cores of its own."""

ACCESS, REST = "uvicorn.access", "uvicorn.error"
"""Loggers of requests, and of everything else."""
LOGGING_FLAGS = (
    *("disable-uvicorn-access-log", "disable-access-log-for-endpoints", "uvicorn-log-level"),
    *("log-config-file", "logging-config"),
)
LOGGING_VARIABLE = "VLLM_LOGGING_CONFIG_PATH"
"""By these users say themselves what is logged."""
