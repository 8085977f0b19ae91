"""A mark in the state that something was asked for."""
