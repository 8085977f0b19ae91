"""TLS of the endpoint: an authority of the stack, and certificates by it."""
