"""What a command does not name: data, weights and template of a workspace or of the last run."""
