"""What is played: one network, two side by side, many at once, a race of searches."""
