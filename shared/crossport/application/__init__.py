"""One module for each use case: plain functions over ports.

A use case loads, asks the domain, and saves. It knows no database, no SDK and no wire format; those stand behind the
protocols of ``ports``.
"""
