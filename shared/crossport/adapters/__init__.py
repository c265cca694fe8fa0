"""The ports of the use cases, implemented on what is really there: databases, SDKs, channels.

SDKs are imported inside functions, so that a function's cold start pays only for what it calls.
"""
