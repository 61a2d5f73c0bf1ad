"""Runs by the dozen: sweeps over settings, and studies of a claim. Here alone analysis plays runs."""
