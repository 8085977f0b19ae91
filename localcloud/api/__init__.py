"""Lambda's public API 1.10.0, the part of it that a GPU instance is made with."""
