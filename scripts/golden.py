"""Write the golden vectors that are still missing: ``hatch run python scripts/golden.py``.

For each entry of ``tests/protocol/golden/values.py`` without a file, its bytes are written, in hexadecimal. A file
that exists is never written again: it stands for what released programs have sent.
"""

import runpy
from pathlib import Path
from typing import Any

from ezmsg.protocol import EzmsgError, encode, to_failure
from ezmsg.protocol.messages.envelopes import Failure

GOLDEN = Path(__file__).parents[1] / "tests" / "protocol" / "golden"
BYTES_IN_A_LINE = 32


def main() -> None:
    expected: dict[str, Any] = runpy.run_path(str(GOLDEN / "values.py"))["EXPECTED"]
    for name, value in expected.items():
        path = GOLDEN / f"{name}.hex"
        if not path.exists():
            path.write_text(in_lines(vector(value)), encoding="ascii")
            print(f"wrote {path.name}")


def vector(value: object) -> bytes:
    """The bytes of a message or a model's instance; an error travels in a failure."""
    return encode(Failure(1, *to_failure(value)) if isinstance(value, EzmsgError) else value)


def in_lines(data: bytes) -> str:
    """Hexadecimal text, short enough in each line to be read in a review."""
    lines = [data[start : start + BYTES_IN_A_LINE].hex() for start in range(0, len(data), BYTES_IN_A_LINE)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
