"""The maps' job: images and phrases in, one relevance map per phrase and prompt out."""
