"""What can be asked of a Hugging Face hub before a machine is rented."""
