"""Where a command finds what its arguments leave out: data, weights and templates of a workspace or of the last run."""
