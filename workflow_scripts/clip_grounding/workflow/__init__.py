"""What the workflow knows of its files: what a job is given, and what an output was made from."""
