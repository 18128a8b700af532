"""``scripts/bench/many_hosts.py``: it runs at a small size, its table has the figures, the page a place for it."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "scripts" / "bench"


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)


def test_the_hosts_have_what_the_page_says_and_hear_each_other() -> None:
    from simulated_hosts import Hosts

    hosts = Hosts(4)
    hosts.join_all([()] * 4)
    state = hosts.graph.state
    state.validate()
    assert len(state.edges) == 4 * 50
    assert len(state.edges.graph()) == 4 * 10
    assert len(state.settings.values()) == 4 * 100
    assert len(state.operations) == 0
    # Each inlet hears its own host's outlets, and every edge to another host is one more pair.
    assert sum(len(heard) for of_host in hosts.heard() for heard in of_host) == 4 * (4 * 4 + 18)


def test_a_host_that_was_lost_and_a_server_that_was_lost_leave_all_as_it_was() -> None:
    from simulated_hosts import Hosts, Spent

    hosts, spent = Hosts(4), Spent()
    hosts.join_all([()] * 4)
    heard = hosts.heard()
    hosts.lose(2, spent)
    assert len(hosts.graph.state.edges) == 3 * 50
    hosts.join(2, heard[2], spent)
    hosts.settle(spent)
    assert hosts.heard() == heard
    hosts.join_all(heard)  # on new connections, while the old ones are held
    assert hosts.heard() == heard
    assert len(hosts.graph.state.peers) == 4
    hosts.lose_server()
    hosts.join_all(heard)
    assert hosts.heard() == heard
    hosts.graph.state.validate()


def test_it_runs_and_prints_a_table_and_reads_what_it_kept(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    command = [sys.executable, str(BENCH / "many_hosts.py"), "--hosts", "3", "4", "--json", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = [line.strip("| ").split(" | ") for line in ran.stdout.splitlines() if line.startswith("|")]
    cells = {row[0]: row[1:] for row in rows}
    assert cells["hosts"] == ["3", "4"]
    assert cells["topics, edges, entries of metadata"] == ["30, 150, 300", "40, 200, 400"]
    for name in (
        "one more edge",
        "a host is lost, and its routes taken down",
        "everybody comes back to a new server",
        "a snapshot",
    ):
        assert all(float(cell.split()[0]) > 0 for cell in cells[name]), name
    again = subprocess.run(
        [*command[:2], "--read", str(file)], capture_output=True, text=True, timeout=50, check=True
    )
    assert again.stdout == ran.stdout


def test_fewer_hosts_than_edges_need_are_refused() -> None:
    command = [sys.executable, str(BENCH / "many_hosts.py"), "--hosts", "2"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert ran.returncode == 2
    assert "at least 3 hosts" in ran.stderr


def test_the_page_has_a_place_for_the_table(tmp_path: Path) -> None:
    from many_hosts import PAGE, write

    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    write("| a table |", page)
    write("| another |", page)
    before, after = PAGE.read_text(encoding="utf-8"), page.read_text(encoding="utf-8")
    assert "a table" not in after
    assert after.count("| another |") == 1
    assert after.splitlines()[0] == before.splitlines()[0]
    assert after.splitlines()[-1] == before.splitlines()[-1]
