"""The model server: its settings, its start, its watch, its door, and the swap to another."""
