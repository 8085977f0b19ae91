"""The account's global firewall rules."""
