"""Words for what users' code raises."""


def said(error: BaseException) -> str:
    """Return what an error says of itself, or else its type; safe from its ``__str__``."""
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001  whatever a user's class raises when it is to say something
        return type(error).__name__


def described(error: BaseException) -> str:
    """Return an error's type and what it says."""
    return f"{type(error).__name__}: {said(error)}"
