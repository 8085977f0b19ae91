"""Models, checkpoints and machines that tests are about."""
