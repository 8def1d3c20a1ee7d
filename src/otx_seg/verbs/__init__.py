"""One file per verb of the command line: the straight line from arguments to result, as a Python function."""
