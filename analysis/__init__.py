"""Measures, pictures, the report and studies. Reads the log only."""
