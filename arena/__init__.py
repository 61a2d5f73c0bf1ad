"""The world: one round, and the machines it runs on."""
