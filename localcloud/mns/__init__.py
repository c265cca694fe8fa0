"""Simple Message Queue (formerly MNS): queues, version 2015-06-06. Topics are not played and fail loudly."""
