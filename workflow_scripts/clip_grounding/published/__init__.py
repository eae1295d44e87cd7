"""The per-phrase scores that the poster's authors published, and their reanalysis."""
