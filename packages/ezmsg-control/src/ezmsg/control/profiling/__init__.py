"""From what processes count to who holds whom back: snapshots, windows of growth, blame, traces.

The drawings, the exporters and the command enter; it uses `graph`, `process` and `connection`.
"""
