"""What a fault may strike besides the operations of the API: the machines' SSH and the hub."""

SSH = frozenset({"ssh-connect", "ssh-command"})
"""A connection to a machine, and a command or login on one."""

HUB = frozenset({"hub", "hub-file"})
"""Any request to the hub, and the download of a file from it."""

ANY_MACHINE = "any"
"""In place of an instance's id."""
