"""The NVIDIA driver, brought to where vLLM can use it."""
