"""A loopback stand-in for the parts of Alibaba Cloud that Crossport talks to.

Real SDKs, unmodified, are its clients. It is for development, tests and demonstrations; it is never
deployed, and it shares no code with ``crossport`` (an import contract enforces that).
"""
