"""The certificate on the machine, and why clients would not trust it."""
