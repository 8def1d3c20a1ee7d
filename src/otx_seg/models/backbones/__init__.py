"""The backbones that MMSegmentation lacks, one file each: from normalised images to feature maps at several strides."""
