"""Waiting until machines can be used."""
