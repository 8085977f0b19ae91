"""SSH keys, made on this computer."""
