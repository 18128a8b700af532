"""How long methods take, told in a file and in traces.

Programs enter, through the door `ezmsg.util.profiler`; it uses the core alone.
"""
