"""Losses that compare what a student says of an image with what its teacher says, one file each."""
