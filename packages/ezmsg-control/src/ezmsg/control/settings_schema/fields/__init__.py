"""What a field of settings is, once it has been read: its shape, limits, description, and the words for it.

Every other room of `settings_schema` enters; it uses nothing of theirs.
"""
