"""Firewall rulesets."""
