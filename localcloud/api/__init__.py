"""Lambda's public API 1.10.0, all of it but support tickets."""
