"""Functions for the rules while they are parsed, and for a run's reports and stamps."""
