"""The pure core: frozen values and functions over them.

Standard library only; no clock, no randomness, no ids made up, no IO, no logging. Whatever varies is an argument.
"""
