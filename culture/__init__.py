"""What agents share and what is remembered: the ground floor, which imports nothing above it."""

from culture.catalog import connect

__all__ = ["connect"]
