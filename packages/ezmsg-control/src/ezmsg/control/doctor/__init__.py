"""What may be wrong with an installation or a running graph, and what to do about it: ``ezmsg doctor``.

The command line enters; it may use every other room. Each distribution adds an `Examination` of its own by an entry
point of the group ``ezmsg.doctor``: it gathers plain data, and judges that data in a pure function.
"""
