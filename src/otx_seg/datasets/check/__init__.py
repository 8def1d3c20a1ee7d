"""What `otx check` looks for in data, and what it finds."""
