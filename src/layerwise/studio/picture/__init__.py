"""What a frame shows: surfaces, units, scores, the sentence; each worked out by the server."""
