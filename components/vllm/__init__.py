"""vLLM on a machine: what is checked before, what is installed, what is served."""
