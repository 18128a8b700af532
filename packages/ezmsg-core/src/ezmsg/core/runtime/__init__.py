"""Running a graph: processes, units, their tasks, and a bounded end.

Programs enter by `run`, and `blocking` for its loops; it may use every room but `blocking`, `commands` and `demo`.
"""
