"""Which distributions of ezmsg are installed, whether their files are theirs, and whether their versions fit.

The doctor enters; it uses its neighbours `findings` and `examination`, and the standard library's metadata.
"""
