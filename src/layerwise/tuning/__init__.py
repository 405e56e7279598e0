"""Searches: many settings of one recipe trained as lanes, an honest winner named."""
