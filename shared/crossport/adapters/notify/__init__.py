"""Notices: their texts (``render``) and the channels that carry them (``smtp``)."""
