"""Who is there: strangers that have proved nothing, frames that have begun, peers that fell silent.

Pure: the time is an argument. The shells of the server, of its clients and of the data plane enter; it uses
nothing.
"""
