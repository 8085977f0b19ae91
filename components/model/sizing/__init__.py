"""Does a model fit, with how much offload, for how long a context, how fast at best: pure functions."""
