"""What the rules ask while parsing, and what a run says of itself and of its outputs."""
