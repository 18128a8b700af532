"""Messages for everybody: arrays whose axes have names (`axisarray`), and the units that make and change them.

Programs enter; it uses `generators` and `errors`. Of its own files the units use `axisarray`, never the other way.
"""
