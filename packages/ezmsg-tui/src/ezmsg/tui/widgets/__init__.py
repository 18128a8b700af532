"""What is drawn on every screen: the status, lists, charts, the graph. They show what they are given.

`screens` and `forms` enter; it uses `model` for what is pure, and Textual.
"""
