"""What a machine cannot do, said in one line for the person at the terminal."""


class MachineError(Exception):
    """A machine cannot be brought into the wanted state; the text says what, where and what to do."""
