"""Networks: Equinox modules, batch-first, built from the recipe."""
