"""All that depends on a release of vLLM."""
