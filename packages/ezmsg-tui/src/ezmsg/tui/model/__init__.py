"""What the application knows, without a widget: facts come in, one immutable view goes out. Pure: no clock, no I/O.

Every other room enters; it uses `ezmsg.control`'s pure rooms and the types of `ezmsg.protocol`.
"""
