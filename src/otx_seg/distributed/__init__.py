"""Trainings of several processes and machines: launcher, rendezvous, worker, consistency."""
