"""Lists that are open: each kind of a thing is a file, found by its name in a folder."""
