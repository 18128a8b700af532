"""Generators that take messages and give messages, and units made of them.

Programs enter, through the doors `ezmsg.util.generator` and `ezmsg.util.gen_to_unit`, and the units of `messages`;
it uses the core and `errors`.
"""
