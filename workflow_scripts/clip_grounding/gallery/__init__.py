"""The gallery: one page to browse what CLIP looked at, which opens from disk without a server."""
