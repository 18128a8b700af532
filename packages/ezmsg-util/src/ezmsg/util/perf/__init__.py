"""How fast messages go on this machine: ``ezmsg perf`` and what it measures.

The command enters, and ``python -m ezmsg.util.perf.command``, by which another release's interpreter is asked; it
uses `errors` and the core's public names, nothing else, so that what it measures is what programs have.
"""
