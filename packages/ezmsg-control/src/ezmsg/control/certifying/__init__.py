"""An authority of one's own and certificates for hosts, for TLS; with `cryptography`, of an extra.

Only `ezmsg server certificates` enters; it uses nothing of this distribution.
"""
