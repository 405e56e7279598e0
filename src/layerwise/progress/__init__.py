"""Progress: what a run says while it happens, for people, and the calls of Python that show it."""
