"""Machines: what they are launched from, their launch, their end."""
