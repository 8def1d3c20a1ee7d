"""Automatic configuration: pure functions from the data, the machine and the time to a value and a reason."""
