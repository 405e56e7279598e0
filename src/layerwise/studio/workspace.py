"""The workspace: the one folder that a Studio reads and writes below, and what is where in it."""

from pathlib import Path


class Workspace:
    """A folder with `runs`, as the command line makes them, `uploads` from pages, and `lessons` of a lecturer's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / "runs"
        self.uploads = root / "uploads"
        self.lessons = root / "lessons"
