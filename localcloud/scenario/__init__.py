"""Scenarios: stories in YAML, played on the local cloud with the official SDKs and Crossport's own command."""
