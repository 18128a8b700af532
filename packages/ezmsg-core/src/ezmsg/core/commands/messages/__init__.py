"""``ezmsg topic echo`` and ``ezmsg topic pub``: a message shown, and a message typed.

`ezmsg topic` enters, through `verbs`, which it finds by entry points; every other room may be used.
"""
