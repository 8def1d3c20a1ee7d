"""Models measured side by side: each in a process of its own, only one of them working at a time."""
