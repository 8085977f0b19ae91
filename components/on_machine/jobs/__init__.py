"""Long work that outlives the connection that asked for it."""
