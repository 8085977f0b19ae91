"""The authority that a stack's clients trust."""
