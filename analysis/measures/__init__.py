"""Measures of a culture and of the curriculum that emerges: formulas, and what a log says by them."""
