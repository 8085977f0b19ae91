"""Ends of logs as the tools print them, a module for each kind: what was printed, and words of the line it becomes."""
