"""What agents share and what is remembered: the ground floor, which imports nothing above it."""

from culture.catalog import connect, connect_many

__all__ = ["connect", "connect_many"]
