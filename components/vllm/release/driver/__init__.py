"""What releases of vLLM want of the NVIDIA driver."""
