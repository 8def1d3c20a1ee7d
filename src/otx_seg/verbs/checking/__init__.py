"""The parts of `otx check`: which folders and subsets are looked through, and how they are opened."""
