"""What a process owns, and what it has told of it: so that a server that comes back can be told again. Pure."""

import os
import socket
from collections.abc import Iterator
from uuid import UUID

from ezmsg.protocol.declared import changed
from ezmsg.protocol.messages.processes import RegisterProcess
from ezmsg.protocol.messages.settings import ReportSettings, SettingsRecorded
from ezmsg.protocol.model.process_control import ProcessRegistration


class Owned:
    """The units of one process, and the settings last reported of each, once the server had its time for it."""

    def __init__(self, process_id: UUID) -> None:
        self._process_id = process_id
        self._reported: dict[str, ReportSettings] = {}
        self.units: set[str] = set()
        self.starting: set[str] = set()
        self.registered = False

    def own(self, units: set[str], starting: set[str]) -> None:
        """These are the units from now on, and those that are still set up; of others nothing is kept."""
        self.units = units
        self.starting = starting - units
        self._reported = {unit: report for unit, report in self._reported.items() if unit in units}

    def left(self) -> None:
        """The server knows nothing of this process any more."""
        self.registered = False
        self._reported.clear()

    def reported(self, report: ReportSettings) -> None:
        """This is what is true of a unit."""
        if report.update.component_address in self.units:
            self._reported[report.update.component_address] = report

    def forget(self, unit: str) -> ReportSettings | None:
        """Return what was reported of a unit, which is true no more: a newer report is on its way."""
        return self._reported.pop(unit, None)

    def registration(self, units: list[str], starting: list[str]) -> RegisterProcess:
        """Return the request by which the process makes these units its own, and these later."""
        registration = ProcessRegistration(os.getpid(), socket.gethostname(), units, starting)
        return RegisterProcess(self._process_id, registration)

    def say_again(self) -> Iterator[object]:
        """Yield the requests that make a server know this process as it is."""
        if self.registered:
            yield self.registration(sorted(self.units), sorted(self.starting))
            yield from self._reported.values()

    def hear_again(self, said: object, answer: object) -> None:
        """Learn which revision the server gives to settings that were said again."""
        if isinstance(said, ReportSettings) and isinstance(answer, SettingsRecorded):
            address = said.update.component_address
            if self._reported.get(address) is said:
                self._reported[address] = changed(said, restored=answer.revision)
