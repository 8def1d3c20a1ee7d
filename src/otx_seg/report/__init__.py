"""Output for people: tables, progress, curves and the written report of a run."""
