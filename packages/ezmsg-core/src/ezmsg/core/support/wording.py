"""Words for what users' code raises, and for how many there are of something."""


def said(error: BaseException) -> str:
    """Return what an error says of itself, or else its type; safe from its ``__str__``."""
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001  whatever a user's class raises when it is to say something
        return type(error).__name__


def counted(number: int, noun: str) -> str:
    """Return a number and what it counts, in the plural where that is due: ``1 channel``, ``2 channels``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def described(error: BaseException) -> str:
    """Return an error's type and what it says."""
    return f"{type(error).__name__}: {said(error)}"
