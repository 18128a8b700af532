"""Which distributions of ezmsg are installed, and what they declare.

Every command enters, and whoever looks for what others bring; it uses the standard library alone.
"""
