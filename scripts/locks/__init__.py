"""Resolves what is installed on a machine, ahead and with hashes: `python -m scripts.locks`."""
