"""How the programs tell what they see: lines of a voice.

Within one voice the order of lines is part of the behaviour. Between voices it is not: a program gives a voice of
its own to whatever runs beside something else, be it a unit, a task or a process.
"""

import os


def say(voice: str, *words: object) -> None:
    """Write one line at once, so that it stays whole among those of other processes."""
    os.write(1, f"{voice}: {' '.join(map(str, words))}\n".encode())
