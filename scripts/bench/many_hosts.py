"""How the graph server grows with the number of hosts: its pure part alone, without a network.

    hatch run python scripts/bench/many_hosts.py                     # ten minutes or so
    hatch run python scripts/bench/many_hosts.py --hosts 10 100      # which sizes
    hatch run python scripts/bench/many_hosts.py --json found.json   # to keep what was found
    hatch run python scripts/bench/many_hosts.py --read found.json --write       # into the page about many hosts

Each size has a process of its own. Times are of the processor, not of the clock, and memory is resident.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from machine import machine
from simulated_hosts import ENTRIES, FEWEST_HOSTS, TOPICS, Hosts, Spent, edges, identity, inlet, outlet

from ezmsg.graphserver.deciding.effects import Follow, Reply
from ezmsg.protocol.messages.envelopes import Item
from ezmsg.protocol.messages.events import FollowTopology
from ezmsg.protocol.messages.sessions import Connect, Disconnect, TakeSnapshot
from ezmsg.protocol.wire.codec import encode, to_wire

PAGE = Path(__file__).parents[2] / "docs" / "explain" / "many-hosts.md"
BEGIN, END = "<!-- many_hosts.py writes from here -->", "<!-- to here -->"
SIZES = [10, 100, 200, 1000, 2000, 4000]
REPEATS = 101
MIB = 2**20

Result = dict[str, float]


def measure(number: int) -> Result:
    """Build a graph of so many hosts, and see what it costs, and what happens to it does."""
    gc.collect()
    before = _resident()
    hosts = Hosts(number)
    built = hosts.join_all([()] * number)
    gc.collect()
    return {
        "hosts": number,
        "memory_mib": (_resident() - before) / MIB,
        "built_s": built.all_s,
        "edges": len(hosts.graph.state.edges),
        "routes": sum(len(heard) for of_host in hosts.heard() for heard in of_host),
        **one_more_edge(hosts),
        **one_host(hosts),
        **snapshots(hosts),
        **followed(hosts),
        **everybody(hosts),
    }


def one_more_edge(hosts: Hosts) -> Result:
    """From a host's outlet to another one's inlet, so that somebody is told a route; and away with it again."""
    session, there = identity(0, 1), set(edges(0, hosts.number))
    ends = [
        (outlet(0, start), inlet(1 + n % (hosts.number - 1), n % 4)) for n in range(4 * REPEATS) for start in (0, 1)
    ]
    new = [edge for edge in dict.fromkeys(ends) if edge not in there][:REPEATS]
    times: list[float] = []
    for edge in new:
        spent = Spent()
        hosts.ask(0, [Connect(*edge, session)], spent)
        times.append(spent.all_s)
        hosts.ask(0, [Disconnect(*edge, session)], Spent())
    return {"edge_ms": 1e3 * median(times)}


def one_host(hosts: Hosts) -> Result:
    """A host is lost, and its routes are taken down when its time to return is over; then it comes back."""
    lost: list[float] = []
    back: list[float] = []
    for host in range(min(hosts.number, 15)):
        heard = hosts.heard_by(host)
        going, coming = Spent(), Spent()
        hosts.lose(host, going)
        hosts.settle(going)
        hosts.join(host, heard, coming)
        hosts.settle(coming)
        lost.append(going.all_s)
        back.append(coming.all_s)
    return {"lost_ms": 1e3 * median(lost), "back_ms": 1e3 * median(back)}


def snapshots(hosts: Hosts) -> Result:
    """The whole graph as a client takes it that knows nothing, and one that has all metadata already."""
    first, again = Spent(), Spent()
    (reply,) = hosts.ask(0, [TakeSnapshot([])], first)
    assert isinstance(reply, Reply)
    known = [session.digest for session in reply.body.compact.sessions]
    hosts.ask(0, [TakeSnapshot(known)], again)
    return {
        "snapshot_ms": 1e3 * first.all_s,
        "snapshot_mb": first.bytes_out / 1e6,
        "known_ms": 1e3 * again.all_s,
        "known_mb": again.bytes_out / 1e6,
    }


def followed(hosts: Hosts) -> Result:
    """A host comes back while every host follows the events of the graph; each of them is sent them all."""
    seen = hosts.graph.state.topology.last_seq
    effects = [hosts.ask(host, [FollowTopology(seen)], Spent()) for host in range(hosts.number)]
    cursors = [effect.cursor for each in effects for effect in each if isinstance(effect, Follow)]
    heard = hosts.heard_by(0)
    hosts.lose(0, Spent())
    hosts.join(0, heard, Spent())
    began_s, sent, written = time.process_time(), 0, 0
    for cursor in cursors:
        while (item := cursor.take()) is not None:
            written += len(encode(Item(1, to_wire(item))))
            sent += 1
    hosts.settle(Spent())
    spent_s = time.process_time() - began_s
    return {"followed_s": spent_s, "followed_mb": written / 1e6, "followed_items": sent}


def everybody(hosts: Hosts) -> Result:
    """All come back on new connections to the server, which still holds the old ones; then to a new server."""
    heard = hosts.heard()
    lines = hosts.join_all(heard)
    hosts.lose_server()
    gc.collect()
    server = hosts.join_all(heard)
    assert hosts.heard() == heard, "somebody hears others than before"
    return {
        "lines_deciding_s": lines.deciding_s,
        "lines_s": lines.all_s,
        "return_deciding_s": server.deciding_s,
        "return_s": server.all_s,
        "return_in_mb": server.bytes_in / 1e6,
        "return_out_mb": server.bytes_out / 1e6,
    }


# --- the table --------------------------------------------------------------------------------------------

ROWS: dict[str, Callable[[Result], str]] = {
    "hosts": lambda found: f"{found['hosts']:,}",
    "topics, edges, entries of metadata": lambda found: (
        f"{found['hosts'] * TOPICS:,}, {found['edges']:,}, {found['hosts'] * ENTRIES:,}"
    ),
    "pairs of publisher and subscriber": lambda found: f"{found['routes']:,}",
    "memory": lambda found: f"{found['memory_mib']:,.0f} MiB",
    "one more edge": lambda found: f"{found['edge_ms']:.2f} ms",
    "a host is lost, and its routes taken down": lambda found: f"{found['lost_ms']:.1f} ms",
    "it comes back": lambda found: f"{found['back_ms']:.1f} ms",
    "everybody comes back to a new server": lambda found: f"{found['return_s']:.2f} s",
    "of that, deciding": lambda found: f"{found['return_deciding_s']:.2f} s",
    "of that, bytes in and out": lambda found: f"{found['return_in_mb']:.1f} and {found['return_out_mb']:.1f} MB",
    "everybody comes back to the same server": lambda found: f"{found['lines_s']:.2f} s",
    "a snapshot": lambda found: f"{found['snapshot_ms']:,.0f} ms, {found['snapshot_mb']:.1f} MB",
    "a snapshot for who knows the metadata": lambda found: (
        f"{found['known_ms']:,.0f} ms, {found['known_mb']:.1f} MB"
    ),
    "a host comes back, and everybody follows events": lambda found: (
        f"{found['followed_s']:.2f} s, {found['followed_mb']:.1f} MB"
    ),
}


def table(results: Sequence[Result]) -> str:
    """Return the results as a table, a column for each size, under the machine's name."""
    lines = [[name, *(cell(found) for found in results)] for name, cell in ROWS.items()]
    lines.insert(1, ["---", *["---:"] * len(results)])
    surroundings = machine()
    where = ", ".join(f"{name} {surroundings[name]}" for name in ("processor", "cores", "python", "date"))
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([f"Processor time of one core, by `scripts/bench/many_hosts.py` ({where}):", "", *rows])


def write(text: str, page: Path = PAGE) -> None:
    """Put the table into the page, between its two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    assert found, f"{page} has no place for it"
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def _resident() -> int:
    """Return the memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _apart(number: int) -> Result:
    """Measure in a process of its own, whose memory nothing else has used before."""
    ran = subprocess.run([sys.executable, __file__, "--one", str(number)], stdout=subprocess.PIPE, check=True)
    found: Result = json.loads(ran.stdout)
    return found


def _measured(sizes: Sequence[int]) -> list[Result]:
    results = []
    for number in sizes:
        results.append(_apart(number))
        print(f"{number:,} hosts: {json.dumps(results[-1])}", file=sys.stderr, flush=True)
    return results


def _kept(files: Sequence[Path]) -> list[Result]:
    results: list[Result] = [each for file in files for each in json.loads(file.read_text(encoding="utf-8"))]
    return sorted(results, key=lambda found: found["hosts"])


def main() -> None:
    """Measure, print the table, and write it if that is wanted."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, nargs="+", default=SIZES, help=f"at least {FEWEST_HOSTS}")
    parser.add_argument("--write", action="store_true", help="put the table into the page about many hosts")
    parser.add_argument("--json", type=Path, help="keep the results in this file, too")
    parser.add_argument(
        "--read", type=Path, nargs="+", default=[], help="take results that were kept; measure nothing"
    )
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(measure(options.one)))
        return
    if min(options.hosts) < FEWEST_HOSTS:
        parser.error(f"at least {FEWEST_HOSTS} hosts are needed, for the edges that lead from one to another")
    results = _kept(options.read) if options.read else _measured(options.hosts)
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = table(results)
    print(text)
    if options.write:
        write(text)


if __name__ == "__main__":
    main()
