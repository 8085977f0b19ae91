"""Which CUDA a release of vLLM is built with, and the drivers and libraries that know it."""

CUDA13_DRIVER = 580
"""The first driver that knows CUDA 13."""
CUDA12_DRIVER = 570
"""The first driver that knows CUDA 12.8, which the last vLLM for CUDA 12 is built with."""
FIRST_CUDA13_VLLM = (0, 20)
"""PyPI's wheels are built for CUDA 13 since 0.20.0."""

COMPAT_PACKAGE = "cuda-compat-13-0"
COMPAT_BRANCHES = frozenset({535, 550, 565, 570, 575})
"""Driver branches that CUDA 13.0's compatibility libraries run on: those that NVIDIA's own images for CUDA 13.0 allow
in NVIDIA_REQUIRE_CUDA, the same for x86_64 and for sbsa."""

CUDA12_WAY = "`install: source` with vllmVersion 0.19.1"
"""How to have a vLLM that does without CUDA 13."""
