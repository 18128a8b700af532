"""What settings allow and hold, told as data: the schema, JSON Schema, structured values.

`settingsmeta` and the drawings enter; it uses `patching`, `sources` and `fields`.
"""
