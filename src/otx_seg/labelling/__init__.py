"""What to label next, and which labels to look at again: images and masks in the order of what a person gains there."""
