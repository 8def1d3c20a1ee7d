"""What an output may be compared with in place of the mask: a class per target, one file each, made from the mask."""
