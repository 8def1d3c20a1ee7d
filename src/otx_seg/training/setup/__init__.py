"""From a request to a training that is about to begin."""
