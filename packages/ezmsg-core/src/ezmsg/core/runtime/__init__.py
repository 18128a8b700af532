"""Running a graph: processes, units, their tasks, and a bounded end."""
