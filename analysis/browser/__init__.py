"""The browser: pages on the log of a run, finished or going on, read-only.

Each module asks the log for what one page shows and gives plain data, bounded however large the log is;
``templates`` has what it looks like, ``page.py`` is the marimo notebook around it. Texts of the log were
written by models: every value that a template shows is escaped.
"""
