"""vLLM, installed into an environment of its own and proven."""
