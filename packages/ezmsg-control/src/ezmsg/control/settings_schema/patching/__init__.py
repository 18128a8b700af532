"""How a value from outside becomes one that the field allows, and takes its place in settings that exist.

`settingsmeta` and `describing` enter; it uses `sources` and `fields`.
"""
