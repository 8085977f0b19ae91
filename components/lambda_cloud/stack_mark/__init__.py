"""The mark of a stack in the names of what it creates."""
