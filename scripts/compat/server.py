"""A graph server for one program: says its address, and ends at the end of standard input.

Runs in the interpreter under test, so that each package brings its own server.
"""

import sys

import ezmsg.core as ez


def main() -> None:
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    print("address", server.address, flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
