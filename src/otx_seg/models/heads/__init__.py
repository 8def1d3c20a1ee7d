"""The heads that MMSegmentation lacks, one file each: from feature maps to logits."""
