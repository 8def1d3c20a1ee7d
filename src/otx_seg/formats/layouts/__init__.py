"""Which folders hold images and which masks, and what lies there instead."""
