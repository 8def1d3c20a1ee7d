"""One file per verb of the command line: the straight line from arguments to result, as a Python function.

What several verbs need, or one is made of, stands in packages: places, training, launch, hpo, checking, job.
"""
