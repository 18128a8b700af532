"""Messages as lines of JSON, and messages again.

`units` and programs enter, the latter through the door `ezmsg.util.messagecodec`; it uses `errors` alone.
"""
