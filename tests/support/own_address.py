"""Loopback addresses that tests listen on: 127.77 is the local cloud's, 127.78 that of machines without a cloud."""

import os


def own_address(network: int = 76) -> str:
    """Give an address of this process alone: test files run side by side, also those of another checkout."""
    high, low = divmod(os.getpid() % 0xFFFF, 0x100)
    return f"127.{network}.{high}.{low}"
