"""What people look at: tables, progress, curves and the written report of a run."""
