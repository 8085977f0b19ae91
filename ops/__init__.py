"""Commands for whoever uses a stack: `python -m ops chat`, `logs`, `status`, `tunnel`, `bench`, `monitoring`."""
