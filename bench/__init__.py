"""Measurements against peers and floors on one machine, in one run: ``make bench`` writes ``bench/RESULTS.md``."""
