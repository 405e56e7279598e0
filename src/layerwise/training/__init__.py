"""Training: the compiled loop, the run and its folder, the model file."""
