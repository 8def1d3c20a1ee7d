"""The report of a run: what it did, how well, on which images it fails, and what to do next."""
