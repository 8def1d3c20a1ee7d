"""What is drawn on images, and what it is called: masks, polygons, run lengths, lists of labels."""
