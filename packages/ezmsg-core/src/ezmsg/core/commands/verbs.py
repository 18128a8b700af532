"""The commands of ezmsg 3 as verbs of today's ``ezmsg``: the same words, read by the same parser.

Read for ``ezmsg --help``, and imported for a verb; nothing of the core is imported here before one is carried out.
``shutdown`` is not among them: `ezmsg.control` has it.
"""

from ezmsg.control.cli.passing_on import passing_on


def _carry_out(words: list[str]) -> int:
    from ezmsg.core.commands.command_line import carry_out

    try:
        return carry_out(words, "ezmsg")
    except SystemExit as end:  # the parser's, after its help or what it has against the words
        return end.code if isinstance(end.code, int) else 1


dashboard = passing_on("dashboard", _carry_out, help="Serve a running graph's dashboard; needs ezmsg-dashboard.")
graphviz = passing_on("graphviz", _carry_out, help="Write the graph for Graphviz.")
inspect = passing_on("inspect", _carry_out, help="Describe the components of a file or module as JSON.")
mermaid = passing_on("mermaid", _carry_out, help="Show the graph in a browser, drawn by Mermaid, or write it.")
serve = passing_on("serve", _carry_out, help="Serve the graph until the end is asked for.")
start = passing_on("start", _carry_out, help="Start a graph server that stays, and return when it answers.")
