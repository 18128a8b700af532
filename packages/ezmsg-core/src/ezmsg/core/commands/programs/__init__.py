"""What a command line names by a file, a module or a registered name: described at rest, or run.

The verbs of `commands` enter; every other room may be used. Components are registered by entry points of the group
``ezmsg.components``, as `sigproc.ButterworthFilter = ezmsg.sigproc.butterworthfilter:ButterworthFilter`.
"""
