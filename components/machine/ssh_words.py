"""How every `ssh` of this project is called, started or printed: nothing that the user has set up for it has a say.

What stands in ~/.ssh/config or in /etc/ssh/ssh_config is meant for other hosts: a RemoteCommand, a ProxyCommand or
another User there would break a command or lead it elsewhere. `-F none` reads neither of the two, and is much older
than the KnownHostsCommand that the printed commands need. The rest is what OpenSSH takes from elsewhere:

* keys of an agent (SSH_AUTH_SOCK), which may hang, or of the user, which are of no concern to the machine;
* a password asked for at the terminal, or by SSH_ASKPASS: the machine takes keys only;
* what the computer believes of the address, which may have been another machine's a week ago.

OpenSSH takes the first value of each option. A way over another host can be added by hand behind a command, as `-J`.
"""

OPTIONS = (
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PreferredAuthentications=publickey",
    "GlobalKnownHostsFile=/dev/null",
)


def ssh_words(*more: str) -> list[str]:
    """`ssh` and its options, which `more` follow, each such as `BatchMode=yes`."""
    return ["ssh", "-F", "none", *(word for option in (*OPTIONS, *more) for word in ("-o", option))]
