"""What an examination finds: a verdict, a sentence, and what to do. Plain data."""

from collections.abc import Iterable
from enum import Enum

from attrs import frozen


class Verdict(Enum):
    """How it is: fine, worth a look, or broken."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@frozen
class Finding:
    """One thing that was looked at.

    ``text`` says what was found, with the numbers; ``advice`` what to try, a command if there is one; ``code`` is
    that of the error which programs meet for the same reason.
    """

    verdict: Verdict
    text: str
    advice: str = ""
    code: str = ""


def ok(text: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Verdict.OK, text)


def warn(text: str, advice: str = "", code: str = "") -> Finding:
    """Return that something works, and may soon not."""
    return Finding(Verdict.WARN, text, advice, code)


def fail(text: str, advice: str = "", code: str = "") -> Finding:
    """Return that something does not work."""
    return Finding(Verdict.FAIL, text, advice, code)


def worst(findings: Iterable[Finding]) -> Verdict:
    """Return the worst of all verdicts."""
    order = list(Verdict)
    return max((finding.verdict for finding in findings), key=order.index, default=Verdict.OK)
