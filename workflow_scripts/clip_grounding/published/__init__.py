"""What the poster's authors published, phrase by phrase, and what it shows."""
