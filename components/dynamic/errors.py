"""What a dynamic provider says when it fails."""


class ProviderError(Exception):
    """Root of all that is expected to go wrong while a resource is made, looked at, changed or removed; its text is one
    line that says what to do."""


class ResourceError(Exception):
    """The one line that a user sees when a resource fails."""


# The engine prints an exception with its module; without one the line starts with what matters.
ResourceError.__module__ = "builtins"
