"""Server, peers, processes and tokens, judged as data."""

import stat
from typing import Any
from uuid import UUID

import attrs
import pytest

from ezmsg.control.doctor import processes, server, tokens
from ezmsg.control.doctor.findings import Verdict, fail, ok, warn, worst
from ezmsg.control.doctor.reporting import finding_form, finding_lines, summary
from ezmsg.control.process.faring import Fare
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.messages.service import ConnectedPeer
from ezmsg.protocol.revisions import CURRENT, PACKAGE_VERSION

ADDRESS = Address("127.0.0.1", 25978)


def peer(number: int, package: str = PACKAGE_VERSION) -> ConnectedPeer:
    return ConnectedPeer(UUID(int=number), package, CURRENT, number, "lab")


# --- the server ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("named", "verdict"), [(True, Verdict.FAIL), (False, Verdict.WARN)])
def test_no_server_is_a_failure_where_one_was_named(named: bool, verdict: Verdict) -> None:
    (finding,) = server.judge(server.ServerRecord(ADDRESS, named, "EZ-3001  Nobody is there."))
    assert (finding.verdict, finding.text) == (verdict, "no graph server: EZ-3001  Nobody is there.")


def test_a_server_whose_peers_speak_as_we_do() -> None:
    record = server.ServerRecord(ADDRESS, False, "", 0.0006, peers=(peer(1), peer(2)), up_s=3732.4)
    assert list(server.judge(record)) == [
        ok(f"server {ADDRESS} answers in 0.6 ms; protocol {CURRENT}; up 1 h 2 m 12 s"),
        ok(f"protocol {CURRENT.major} is spoken by 2 of 2 peers"),
    ]


def test_a_server_and_a_peer_of_other_releases() -> None:
    record = server.ServerRecord(ADDRESS, False, "", 0.001, package="0.0.9", peers=(peer(1), peer(7, "0.0.8")))
    first, of_server, of_peer = server.judge(record)
    assert [first.verdict, of_server.verdict, of_peer.verdict] == [Verdict.OK, Verdict.WARN, Verdict.WARN]
    assert of_server.text.startswith(f"the server runs ezmsg-protocol 0.0.9, this command {PACKAGE_VERSION}")
    assert of_peer.text.startswith("pid 7 on lab runs ezmsg-protocol 0.0.8")


def test_a_server_that_takes_its_time_or_does_not_tell_its_peers() -> None:
    (finding,) = server.judge(server.ServerRecord(ADDRESS, True, "", 0.7))
    assert (finding.verdict, finding.text.endswith("that is late")) == (Verdict.WARN, True)


# --- the processes ------------------------------------------------------------------------------------------------


def fare(pid: int, **more: Any) -> Fare:
    fine = {"loop_lateness_s": 0.001, "ping_s": 0.001, "descriptors": 20, "descriptor_limit": 1024}
    return Fare(UUID(int=pid), pid, "lab", ["DEMO/DECODE"], **(fine | more))


def test_processes_that_fare_well() -> None:
    (finding,) = processes.judge([fare(1), fare(2, descriptors=100, loop_lateness_s=0.002)])
    late, most = "the latest event loop is 2.0 ms late", "100 of 1024 descriptors at most"
    assert finding == ok(f"2 processes answer; {late}; {most}")


def test_where_there_is_no_process_nothing_is_said() -> None:
    assert list(processes.judge([])) == []


def test_processes_that_are_late_full_or_silent() -> None:
    late, full, silent = processes.judge(
        [fare(1, loop_lateness_s=0.038), fare(2, descriptors=1000), fare(3, failure="no answer within 2 s")]
    )
    assert late.verdict is Verdict.WARN
    assert late.text.startswith("pid 1 on lab: event loop 38 ms late")
    assert late.advice == "ezmsg process stacks 1"
    assert full.verdict is Verdict.WARN
    assert full.text.startswith("pid 2 on lab: 1000 of 1024 file descriptors are open")
    assert silent == fail("pid 3 on lab does not answer: no answer within 2 s", "ezmsg process stacks DEMO/DECODE")


def test_a_process_that_does_not_tell_everything() -> None:
    nothing = dict.fromkeys(("loop_lateness_s", "descriptors", "descriptor_limit"))
    (finding,) = processes.judge([fare(1, **nothing)])
    assert finding == ok("1 process answers")


# --- tokens -------------------------------------------------------------------------------------------------------

FOLDER = tokens.PlaceSeen("/run/ezmsg", stat.S_IFDIR | 0o700, 1000)
FILE = tokens.PlaceSeen("/run/ezmsg/server-25978.json", stat.S_IFREG | 0o600, 1000)
LIVING = tokens.AnnouncementSeen(FILE, 4711, True)
FINE = tokens.TokensRecord(1000, FOLDER, (LIVING,), None, False, False)


def judged(**changes: Any) -> list[Any]:
    return list(tokens.judge(attrs.evolve(FINE, **changes)))


def test_tokens_that_nobody_else_can_read() -> None:
    assert judged() == [ok("tokens: nobody else can read them; 1 server of yours announced here")]


@pytest.mark.parametrize(
    "changes",
    [
        {"folder": attrs.evolve(FOLDER, mode=stat.S_IFDIR | 0o777)},
        {"folder": attrs.evolve(FOLDER, owner=7)},
        {"announcements": (attrs.evolve(LIVING, place=attrs.evolve(FILE, mode=stat.S_IFREG | 0o644)),)},
        {"token_file": attrs.evolve(FILE, mode=stat.S_IFREG | 0o604)},
        {"token_file": attrs.evolve(FILE, reason="No such file or directory")},
    ],
)
def test_tokens_that_others_can_have_or_nobody(changes: dict[str, Any]) -> None:
    (finding,) = judged(**changes)
    assert finding.verdict is Verdict.FAIL


def test_what_is_left_of_servers_that_are_gone() -> None:
    dead = attrs.evolve(LIVING, runs=False)
    other = attrs.evolve(dead, place=attrs.evolve(FILE, path="/run/ezmsg/server-1.json"))
    (finding,) = judged(announcements=(LIVING, dead, other))
    what = "tokens: 2 servers went without taking the announcement along"
    assert finding == warn(what, "rm /run/ezmsg/{server-1.json,server-25978.json}")


def test_variables_that_contradict_each_other_or_let_everybody_in() -> None:
    both, insecure = judged(token_file=FILE, token_in_environment=True, insecure=True)
    assert {both.verdict, insecure.verdict} == {Verdict.WARN}
    assert "EZMSG_TOKEN_FILE counts for nothing" in both.text
    assert insecure.advice == "unset EZMSG_INSECURE"


# --- findings as text ---------------------------------------------------------------------------------------------


def test_findings_for_people_and_for_programs() -> None:
    finding = fail("It is broken", "mend it", "EZ-4401")
    assert list(finding_lines(finding)) == [" FAIL  It is broken (EZ-4401)", "       Try: mend it"]
    assert list(finding_lines(ok("It is fine"))) == [" ok    It is fine"]
    assert finding_form("server", finding) == {
        "examination": "server",
        "verdict": "fail",
        "text": "It is broken",
        "advice": "mend it",
        "code": "EZ-4401",
    }
    assert summary([finding, warn("w"), ok("o"), ok("o")]) == "1 failed, 1 warning, 2 ok"
    assert (worst([ok("o"), warn("w")]), worst([])) == (Verdict.WARN, Verdict.OK)


def test_a_server_that_proved_itself_by_tls() -> None:
    record = server.ServerRecord(ADDRESS, False, "", 0.001, authority="/etc/ezmsg/tls-ca.pem")
    (finding,) = server.judge(record)
    assert "by TLS, as /etc/ezmsg/tls-ca.pem proves" in finding.text
