"""The operator's command ``crossport``."""
