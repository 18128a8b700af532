"""What a process is asked, and how it answers: pings, statistics, stacks, payloads of a user's own.

`graph`, `profiling` and the command enter; it uses `connection` and `settings_schema`, and knows no graph.
"""
