"""What is grounded where: a dataset's published files, its index of phrases, and their regions."""
