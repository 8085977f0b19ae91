"""Flags and variables of the server that users do not set, since this program has to."""

from collections.abc import Mapping

FLAGS_OF_OURS = frozenset(
    {
        *("config", "enable-ssl-refresh", "grpc", "grpc-port", "headless", "host", "middleware", "root-path"),
        "uds",
    }
)
"""Flags that decide where and behind what the server listens."""

_WEIGHTS = "the server finds the weights there that it downloaded"
_KEYS = "it is how the key check finds the keys"
VARIABLES_OF_OURS: Mapping[str, str] = {
    "HF_HOME": _WEIGHTS,
    "HF_HUB_CACHE": _WEIGHTS,
    "HF_HUB_OFFLINE": "the server has all its weights and no token for the hub",
    "LAMBDA_VLLM_API_KEYS": _KEYS,
    "LAMBDA_VLLM_FLAGS": "it is how the server's log finds what is to be logged",
    "PYTHONPATH": "the key check lies there",
    "VLLM_API_KEY": "vLLM would check that one key besides, and refuse the others",
    "VLLM_USE_RUST_FRONTEND": "the frontend in Rust serves without the key check, which is written in Python",
}
"""Variables, each with the reason."""
