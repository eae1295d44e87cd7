"""Check settings, list jobs, size requests, and track what made each output."""
