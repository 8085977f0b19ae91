"""The certificate that the endpoint shows."""
