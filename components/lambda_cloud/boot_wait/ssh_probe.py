"""Is this our machine, and does it answer SSH?"""

import asyncio
import socket

SSH_BANNER = b"SSH-2.0-"
CONNECT_TIMEOUT_S = 5.0


def ssh_trouble(ip: str, port: int, public_host_key: str | None) -> str | None:
    """None when SSH answers at the address, with this host key if one is given; else what is missing, in words.

    An address may have been another machine's a minute ago: only the key tells that it is ours.
    """
    if public_host_key is None:
        return None if _greets(ip, port) else "no greeting yet"
    # Only here: a heavy module, and needed for this alone.
    import asyncssh

    async def host_key() -> str:
        # The kind of our key before all others: a server without it shows another one. Asked for this kind alone it
        # would hang up, and a connection is reset for all sorts of reasons.
        wanted = f"^{public_host_key.split()[0]}"
        # Nobody logs in, so that the user's own keys, of which one may be damaged, are not looked at.
        keyless = asyncssh.SSHClientConnectionOptions(config=None, client_keys=None, agent_path=None)
        asked = asyncssh.get_server_host_key(ip, port, options=keyless, server_host_key_algs=wanted)
        key = await asyncio.wait_for(asked, CONNECT_TIMEOUT_S)
        return key.export_public_key("openssh").decode() if key else ""

    try:
        shown = asyncio.run(host_key())
    except (TimeoutError, OSError):
        return "no greeting yet"
    except asyncssh.KeyExchangeFailed:
        # It has no key of any kind that is known here.
        return "another host key yet"
    except asyncssh.Error:
        return "no greeting yet"
    return None if shown.split()[:2] == public_host_key.split()[:2] else "another host key yet"


def _greets(ip: str, port: int) -> bool:
    """True when something at the address greets as SSH does."""
    try:
        with socket.create_connection((ip, port), CONNECT_TIMEOUT_S) as connection:
            connection.settimeout(CONNECT_TIMEOUT_S)
            return connection.recv(len(SSH_BANNER)) == SSH_BANNER
    except OSError:
        return False
