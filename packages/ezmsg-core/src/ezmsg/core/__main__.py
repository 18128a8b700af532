"""``python -m ezmsg.core demo``: the demo, where the ``ezmsg`` command is not installed."""

import argparse
import sys

from ezmsg.core.demo.command import demo


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, run what it asks for, and return the exit status."""
    parser = argparse.ArgumentParser(prog="ezmsg.core", description="Real-time dataflow for Python.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo_parser = commands.add_parser("demo", help="run a live graph on a real electrocardiogram")
    demo_parser.add_argument("--seconds", type=float, default=20.0, help="how much of the record to play")
    demo_parser.add_argument("--speed", choices=("real", "max"), default="real", help="the pace")
    demo_parser.add_argument("--json", action="store_true", help="write JSON lines and nothing else")
    options = parser.parse_args(arguments)
    return demo(seconds=options.seconds, speed=options.speed, json=options.json)


if __name__ == "__main__":
    sys.exit(main())
