"""What vLLM says when it fails, and what each of it means."""
