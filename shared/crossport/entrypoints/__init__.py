"""Where the world comes in: envelopes, messages, settings, the function factory and the one composition root.

Everything that arrives here is untrusted. Whatever it is, it ends as a verdict and never as a stray exception.
"""
