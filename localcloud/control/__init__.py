"""The control side and the page: what happens to the cloud behind the program's back."""
