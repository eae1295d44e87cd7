"""Build the gallery: a page for browsing phrases and maps that opens from disk."""
