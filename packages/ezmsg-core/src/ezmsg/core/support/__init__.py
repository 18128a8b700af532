"""What everything here may lean on: the logger, what the operating system offers, words for errors, arguments.

Every room of `ezmsg.core` may enter; this one uses nothing but `ezmsg.core.errors`.
"""
