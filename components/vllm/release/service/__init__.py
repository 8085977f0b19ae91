"""What the service on the machine takes from vLLM: what its log says, which paths it answers at, names it reads."""
