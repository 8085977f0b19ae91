"""The commit of the model that a stack serves."""
