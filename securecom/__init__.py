"""End-to-end encrypted terminal chat that asks before it connects anyone."""

__version__ = "0.1.0"
