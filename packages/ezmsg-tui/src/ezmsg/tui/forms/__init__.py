"""From a settings schema to a form: which fields there are, what is staged, and what they are edited with.

The screens enter; it uses `widgets`, `model`, and Textual in `editors`, `rows` and `slider` only.
"""
