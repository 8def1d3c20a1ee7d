"""What a training decides by itself: pure functions from the data, the machine and the time to a value and a reason."""
