"""What runs on the rented machine, with its own Python 3.10 or newer and nothing besides: goes up as one archive."""
