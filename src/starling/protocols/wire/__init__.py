"""Messages of gRPC services: what ``make stubs`` wrote from the ``.proto`` files here.

Their descriptors are in a pool of their own, so a program may load another library with messages of the same names.
"""
