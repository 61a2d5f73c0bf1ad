"""Reports of one run and of several, as HTML pages that need nothing else."""
