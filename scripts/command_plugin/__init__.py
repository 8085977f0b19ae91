"""A stand-in for the Pulumi plugin `pulumi-resource-command` 1.2.1, for places where the official one cannot be had.

It serves `command:remote:Command` and `command:remote:CopyToRemote` over asyncssh and behaves as version 1.2.1 of
pulumi/pulumi-command does, with these differences, all of them on purpose:

- A line of output longer than 64 KiB is logged like any other; the official plugin stops reading and never returns.
- `perDialTimeout` covers the SSH handshake and the login too, so that a host which accepts and then stalls is retried.
- The SSH connection is closed when its command has ended, and is watched by SSH keep-alives.
- A stale `SSH_AUTH_SOCK` is passed over; an `agentSocketPath` that does not answer is an error in both.
- A wrong key inside `connection` is refused without printing what else is in it.
- `connection.proxy`, an empty text asset, `command:local:*` and `CopyFile` are refused with one line.

Secrets: each mark is kept where it is, also within another, as 1.2.1 does, so that state written by the one is no
change under the other. `connection`, with the key and the passwords in it, and a secret `stdin` are encrypted in state;
`stdout` and `stderr` are not, whatever the inputs were, unless the program asks for it (`additional_secret_outputs`).
"""

VERSION = "1.2.1"
"""The version of the official plugin that this one stands in for."""
