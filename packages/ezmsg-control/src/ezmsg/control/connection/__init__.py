"""What keeps one link to a graph server: found, opened, shared, lost and opened again, asked and answered over.

Every other room enters; it uses nothing of `ezmsg.control` but `errors`.
"""
