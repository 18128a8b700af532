"""The screens: each shows a view, and says what somebody at it wants done. They do no I/O.

The application enters; it uses `widgets`, `forms` and `model`.
"""
