"""From scores to means, intervals, differences and rankings, with images as clusters."""
