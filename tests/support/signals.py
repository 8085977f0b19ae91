"""Signals that whoever started us ignores, such as a shell that runs us behind `&`, are ignored by all that we start.

Pulumi ends its plugins with one of them, and waits five seconds for those that do not hear it.
"""

import signal


def let_signals_arrive() -> None:
    """Give them back their meaning, for this process and for what it starts."""
    for number, default in (
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGQUIT, signal.SIG_DFL),
    ):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, default)
