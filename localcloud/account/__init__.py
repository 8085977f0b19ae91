"""What the account has and may have, and where that is kept."""
