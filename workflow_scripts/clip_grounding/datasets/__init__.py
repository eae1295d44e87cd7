"""Read a dataset's published files, index its phrases and rasterise their regions."""
