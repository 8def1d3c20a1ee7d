"""Trainings in several processes, on one machine or several: starting them, and what they tell each other."""
