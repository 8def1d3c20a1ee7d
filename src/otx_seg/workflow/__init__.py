"""The parts of `otx run`: which job is meant, its steps, its state, its outcome."""
