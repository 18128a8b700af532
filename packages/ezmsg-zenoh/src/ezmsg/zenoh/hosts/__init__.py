"""Hosts that are prepared for a graph: configuration files of Zenoh, whose certificates are there, and a router.

`verbs` enters, and `session` asks what is wrong with a certificate; it uses Zenoh's own configuration and the
folder of `ezmsg server certificates`.
"""
