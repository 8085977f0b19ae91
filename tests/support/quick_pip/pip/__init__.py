"""Pip's list of packages without pip: Pulumi asks for it in every run, and pip takes longer for it than the run itself.

The folder above goes on PYTHONPATH of what tests start; tests/engine/test_quick_pip.py holds the two lists equal.
"""
