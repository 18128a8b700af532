"""What the server tells a monitoring system: figures gathered, worded as OpenMetrics, served as one page.

Only the server enters; it uses `sockets` to listen and reads `deciding`.
"""
