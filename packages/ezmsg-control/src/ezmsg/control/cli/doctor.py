"""``ezmsg doctor``: what is wrong with what is installed and what runs, and what to try."""

from typing import TYPE_CHECKING

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.saying import note, say, say_json

if TYPE_CHECKING:
    from ezmsg.control.doctor.findings import Finding


def doctor(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Examine what is installed and what runs here, and say what to try where something is wrong.

    It ends with 1 if something does not work. Where the command itself is broken, `python -m ezmsg.control
    doctor` does the same. For example:

    ezmsg doctor
    """
    import asyncio

    from ezmsg.control.doctor.examining import examine, known_examinations
    from ezmsg.control.doctor.findings import Verdict, worst
    from ezmsg.control.doctor.reporting import finding_form, finding_lines, summary

    every: list[Finding] = []

    async def run() -> None:
        head = {"$schema": "ezmsg.doctor/1"}
        async for name, findings in examine(address, timeout, known_examinations()):
            every.extend(findings)
            for finding in findings:
                if json:
                    say_json({**head, **finding_form(name, finding)}, flush=True)
                    head = {}
                else:
                    say(finding_lines(finding), flush=True)

    asyncio.run(run())
    note(summary(every))
    return 1 if worst(every) is Verdict.FAIL else 0
