"""The vocabulary every other package speaks: audio, transcripts, records, ports, errors.

Numpy and the standard library only. No I/O, no clock, no ``await`` outside of the port signatures.
"""
