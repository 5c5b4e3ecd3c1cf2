"""The live cluster: connecting as kubectl does, and requests whose refusals show no value.

The kubernetes client is the extra `[cluster]`. It is imported only when a connection is made, since that takes a
quarter of a second.
"""
