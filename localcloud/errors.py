"""What a user of the command line can do something about."""


class LocalCloudError(Exception):
    """One line: what is wrong, where, and what to do."""
