"""The local cloud's API for the tests of it."""
