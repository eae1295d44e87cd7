"""Read, compare and reanalyse the per-phrase scores that the poster's authors published."""
