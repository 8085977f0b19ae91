"""The owner of a launch."""
