"""``ezmsg perf``: read for ``ezmsg --help``, and measured with when it is carried out."""

from ezmsg.control.cli.passing_on import passing_on


def _carry_out(words: list[str]) -> int:
    from ezmsg.util.perf.command import main

    try:
        return main(words)
    except SystemExit as end:  # the parser's, after its help or what it has against the words
        return end.code if isinstance(end.code, int) else 1


perf = passing_on("perf", _carry_out, help="Measure how fast messages go: benchmark, report, compare, hotpath, ab.")
