"""How each kind of class says its fields: dataclasses, attrs, pydantic, param, and bare annotations.

`patching` and `describing` enter, by `reading` or by `annotations`; it uses `fields`.
"""
