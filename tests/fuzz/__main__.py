"""Fuzz one target with atheris: ``python -m tests.fuzz decisions -max_total_time=60``.

Needs the environment ``soak``. New inputs go to a temporary folder; one that crashes is written where it is run.
"""

import sys
import tempfile

from tests.fuzz.corpora import CORPUS, load


def main() -> None:
    """Fuzz until the time is over or something crashes; the options are libFuzzer's."""
    import atheris

    name = sys.argv[1]
    with atheris.instrument_imports(include=["ezmsg"]):
        target = load(name)
    with tempfile.TemporaryDirectory() as found:
        atheris.Setup([sys.argv[0], *sys.argv[2:], found, str(CORPUS / name)], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
