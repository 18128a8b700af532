"""The two exceptions by which a unit's own code ends things in good order."""


class Complete(Exception):
    """Raised in a task: this task is done, everything else goes on."""


class NormalTermination(Exception):
    """Raised in a task: the whole program is done, in every process."""
