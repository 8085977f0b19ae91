"""Hosts and stacks for the tests of the command plugin's stand-in."""
