"""The weights of a model, downloaded and checked."""
