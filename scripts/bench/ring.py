"""A ring of many units in a few processes, neighbours never in the same one: start, pass one message round, stop.

Prints as JSON what it took: seconds, the memory of all processes together, and the most open files of one of them.
Works with any ``ezmsg.core``; needs Linux, where ``/proc`` tells.
"""

import argparse
import json
import os
import time
from pathlib import Path

import ezmsg.core as ez


class HopSettings(ez.Settings):
    first: bool
    began_s: float


class Hop(ez.Unit):
    """Passes a number on, plus one; the first one begins, and ends the program when it comes back."""

    SETTINGS = HopSettings
    INPUT = ez.InputStream(int)
    OUTPUT = ez.OutputStream(int)

    @ez.publisher(OUTPUT)
    async def begin(self):
        if self.SETTINGS.first:
            yield self.OUTPUT, 1

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def pass_on(self, count: int):
        if not self.SETTINGS.first:
            yield self.OUTPUT, count + 1
            return
        round_s = time.time() - self.SETTINGS.began_s
        print(json.dumps({"units": count, "seconds_until_round": round(round_s, 2), **usage()}), flush=True)
        raise ez.NormalTermination


class Share(ez.Collection):
    """The units of one process."""

    def __init__(self, numbers: range, began_s: float) -> None:
        super().__init__()
        for number in numbers:
            name = f"HOP{number}"
            hop = Hop(HopSettings(first=number == 0, began_s=began_s))
            hop._set_name(name)
            self._components[name] = hop
            setattr(self, name, hop)


def usage() -> dict[str, object]:
    """Return what the processes of this program use: proportional memory in MiB, and open files."""
    pids = [
        int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _group(path) == os.getpgrp()
    ]
    memory_kb = sum(_pss_kb(pid) for pid in pids)
    files = sorted(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
    return {
        "processes": len(pids),
        "memory_mib": memory_kb // 1024,
        "most_open_files": files[-1],
        "open_files": files,
    }


def _group(path: Path) -> int:
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[2])
    except OSError:
        return -1


def _pss_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def main() -> None:
    """Run the ring and say how long all of it took."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__)
    parser.add_argument("--units", type=int, default=500)
    parser.add_argument("--processes", type=int, default=8)
    options = parser.parse_args()
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # what belongs to this program is told by its process group
    began_s = time.time()
    shares = [Share(range(start, options.units, options.processes), began_s) for start in range(options.processes)]
    hops = {name: hop for share in shares for name, hop in share.components.items()}
    ring = [hops[f"HOP{number}"] for number in range(options.units)]
    ez.run(
        components={f"P{number}": share for number, share in enumerate(shares)},
        connections=[(hop.OUTPUT, then.INPUT) for hop, then in zip(ring, [*ring[1:], ring[0]], strict=True)],
        process_components=shares,
    )
    print(json.dumps({"seconds": round(time.time() - began_s, 2)}), flush=True)


if __name__ == "__main__":
    main()
