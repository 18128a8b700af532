"""The commands of ezmsg 3 as verbs of today's ``ezmsg``: the same words, read by the same parser.

Imported for ``ezmsg --help``, so nothing of the core is imported here before a verb is carried out. ``shutdown`` is
not among them: `ezmsg.control` has it.
"""

from ezmsg.control.cli.passing_on import passing_on


def _carry_out(words: list[str]) -> int:
    from ezmsg.core.commands.command_line import carry_out

    try:
        return carry_out(words, "ezmsg")
    except SystemExit as end:  # the parser's, after its help or what it has against the words
        return end.code if isinstance(end.code, int) else 1


dashboard = passing_on("dashboard", "Serve the dashboard of a running graph; needs ezmsg-dashboard.", _carry_out)
graphviz = passing_on("graphviz", "Write the graph for Graphviz.", _carry_out)
mermaid = passing_on("mermaid", "Show the graph in a browser, drawn by Mermaid, or write it for that.", _carry_out)
serve = passing_on("serve", "Serve the graph until the end is asked for.", _carry_out)
start = passing_on("start", "Start a graph server that stays, and return when it answers.", _carry_out)
