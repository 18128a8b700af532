"""The promises under faults, and the tests that hold each of them; what was measured goes into a table."""

from __future__ import annotations

from dataclasses import dataclass

LEASES = "tests/system/test_leases.py"
SERVER = "tests/system/test_server_faults.py"
DATA = "tests/system/test_data_plane.py"
CONTROL = "tests/system/test_control_faults.py"
STRANGERS = "tests/system/test_strangers.py"


@dataclass(frozen=True)
class Row:
    """One promise: what happens, what is promised then, and which tests try it."""

    name: str
    fault: str
    promise: str
    tests: tuple[str, ...]


ROWS = (
    Row(
        "lost-host",
        "a host is cut off, and says nothing",
        "missed within a lease of 3 s, back within 2 s of the heal",
        (f"{LEASES}::test_a_host_that_was_cut_off_is_missed_within_the_lease_and_back_within_two_seconds",),
    ),
    Row(
        "frozen",
        "a process, its units' loop or the server is frozen",
        "requests to it end with the lease, STALLED is told from UNRESPONSIVE, and nobody is let go for the server",
        (
            f"{LEASES}::test_a_stopped_process_is_unresponsive_and_a_request_to_it_ends_with_the_lease",
            f"{LEASES}::test_a_process_whose_units_do_not_move_is_stalled_and_answers",
            f"{LEASES}::test_a_server_that_was_stopped_lets_nobody_go_for_it",
            f"{SERVER}::test_a_frozen_server_is_waited_for_and_forgets_nothing",
        ),
    ),
    Row(
        "server",
        "the server is killed, once or again and again",
        "no message is lost or comes twice, and the graph is what its clients declare",
        (
            f"{SERVER}::test_a_server_that_is_killed_and_comes_back_is_missed_by_no_message",
            f"{SERVER}::test_a_storm_of_restarts_leaves_what_its_clients_declare",
            f"{SERVER}::test_a_stream_over_a_killed_server_says_where_it_begins_anew",
        ),
    ),
    Row(
        "strangers",
        "a thousand sockets that prove nothing, at the server and at publishers",
        "20 of 20 clients get in, 20 of 20 subscribers hear, and nothing grows",
        (STRANGERS,),
    ),
    Row(
        "roles",
        "a client with the token of an observer or an operator",
        "it does what its role may do, and nothing else",
        ("tests/system/test_roles.py",),
    ),
    Row(
        "workers",
        "a worker of `run()` dies",
        "the run ends, restarts it or goes on without it, as it was told; nobody is left behind",
        ("tests/system/test_dead_workers.py",),
    ),
    Row(
        "state",
        "server and program are killed, with a state file",
        "persistent edges and the settings that operators made are there again",
        ("tests/system/test_state_file.py",),
    ),
    Row(
        "requests",
        "handlers that are slow, frozen, killed or wrong",
        "every request ends in one answer or one typed failure, and delays nobody else",
        (CONTROL,),
    ),
    Row(
        "publisher",
        "a publisher is killed",
        "what it had sent can be read, then one PeerLost is told",
        (
            f"{DATA}::test_what_a_killed_publisher_sent_can_still_be_read",
            f"{DATA}::test_a_killed_publisher_is_told_once_after_its_last_message",
        ),
    ),
    Row(
        "subscriber",
        "a subscriber is killed or stopped while it holds everything",
        "the others go on, and who was cut off learns how many messages it missed",
        (
            f"{DATA}::test_a_killed_subscriber_that_held_everything_stops_nobody",
            f"{DATA}::test_a_stopped_subscriber_is_cut_off_and_learns_what_it_missed",
        ),
    ),
    Row(
        "all",
        "every process is killed at once",
        "nothing is left: no memory, no file, no process",
        (f"{DATA}::test_killing_every_process_leaves_nothing",),
    ),
)


@dataclass(frozen=True)
class Figure:
    """One line of the table: a promise, and what was measured."""

    fault: str
    promise: str
    measured: str
    held: bool


def table(figures: list[Figure]) -> str:
    """Return the lines as a table of Markdown."""
    lines = ["| what happens | promise | measured | held |", "| --- | --- | --- | --- |"]
    lines += [f"| {f.fault} | {f.promise} | {f.measured} | {'yes' if f.held else '**no**'} |" for f in figures]
    return "\n".join(lines)
