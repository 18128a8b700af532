"""Findings as lines for people and as plain forms for programs. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ezmsg.control.doctor.findings import Finding, Verdict

_WORDS = {Verdict.OK: "ok", Verdict.WARN: "warn", Verdict.FAIL: "FAIL"}
_WIDTH = max(map(len, _WORDS.values()))


def finding_lines(finding: Finding) -> Iterator[str]:
    """Yield a finding's line, and below it what to try."""
    code = f" ({finding.code})" if finding.code else ""
    yield f" {_WORDS[finding.verdict].ljust(_WIDTH)}  {finding.text}{code}"
    if finding.advice:
        yield f" {' ' * _WIDTH}  Try: {finding.advice}"


def finding_form(examination: str, finding: Finding) -> dict[str, Any]:
    """Return a finding for JSON."""
    return {
        "examination": examination,
        "verdict": finding.verdict.value,
        "text": finding.text,
        "advice": finding.advice or None,
        "code": finding.code or None,
    }


def summary(findings: Iterable[Finding]) -> str:
    """Return how many findings there are of each kind, the worst first."""
    counts = Counter(finding.verdict for finding in findings)
    warnings = f"{counts[Verdict.WARN]} warning{'' if counts[Verdict.WARN] == 1 else 's'}"
    return f"{counts[Verdict.FAIL]} failed, {warnings}, {counts[Verdict.OK]} ok"
