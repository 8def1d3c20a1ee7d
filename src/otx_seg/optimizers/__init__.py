"""Optimisers that torch lacks, one file each; a template names them like those of torch.optim."""
