"""What goes wrong and is told to the user."""


class RemoteError(Exception):
    """A resource operation failed; the text is shown to the user as it is and holds no secret of the connection."""
