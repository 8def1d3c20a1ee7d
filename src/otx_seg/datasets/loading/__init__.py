"""Batches of samples: order, processes, memory."""
