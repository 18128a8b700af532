"""What two processes of one host tell each other through shared memory, with their socket only as a doorbell.

Links and the endpoints' exchange enter; it uses how transports wait awake and hold back what cannot be written yet.
"""
