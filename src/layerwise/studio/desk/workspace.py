"""The workspace: the one folder that a Studio reads and writes below, and what is where in it.

Pages name runs and uploads by names of one part, never by paths, and nothing is reached through a link:
so whatever a page says, and whatever was unpacked into the folder, no other file is read or written.
"""

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from layerwise import files
from layerwise.errors import DataError, RunError
from layerwise.recipe import Recipe
from layerwise.recipe import records as r
from layerwise.studio.allowed import UPLOAD
from layerwise.tuning.listing import check_removable

NAME_BYTES = 200
TRASH = 100  # runs that are kept in the trash; beyond, the oldest go for good
_TICKET = re.compile(r"([0-9a-f]{16})-(.+)", re.DOTALL)


class Workspace:
    """A folder with `runs`, as the command line makes them, `uploads` from pages, and `lessons` of a lecturer's.

    `trash` has runs that were deleted, `jobs` the recipes of those that pages began.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.runs = self.root / "runs"
        self.uploads = self.root / "uploads"
        self.lessons = self.root / "lessons"
        self.trash = self.root / ".trash"
        self.jobs = self.root / ".jobs"

    # ── names and paths ─────────────────────────────────────────────────────────────────────────

    def within(self, path: Path) -> Path:
        """The path, if it is below the workspace and nothing on the way to it is a link. Raises `RunError`."""
        try:
            straight = path.resolve() == path and path.is_relative_to(self.root)
        except (OSError, ValueError, RuntimeError):
            straight = False
        if not straight:
            raise RunError(
                "the Studio keeps to its workspace, and follows no links in it",
                received=path.name,
                remedy="put the files themselves into the workspace",
            )
        return path

    def run(self, name: str) -> Path:
        """The folder of a run or study by its name. Raises `RunError` where there is none."""
        folder = self.within(self.runs / checked_name(name))
        if not (folder / "recipe.toml").is_file():
            raise RunError("a run of the workspace is named", received=name, remedy="load the list again")
        for path in (folder, *(folder / part for part in ("best", "fold-1"))):
            if path.is_dir():
                self._refuse_links(path)
        return folder

    def _refuse_links(self, folder: Path) -> None:
        if linked := next((entry for entry in folder.iterdir() if entry.is_symlink()), None):
            self.within(linked)
            raise RunError("a run that the Studio shows holds no links", received=f"{folder.name}/{linked.name}")

    # ── recipes ─────────────────────────────────────────────────────────────────────────────────

    def located(self, recipe: Recipe) -> Recipe:
        """A recipe of a page, its uploads named by their full paths; what names no upload stays as it is.

        A page says `uploads/...`, so that its recipe, kept as a file in the workspace, trains there, too.
        Raises `DataError` for an upload that is gone.
        """
        return _with_files(recipe, self._located)

    def _located(self, name: str) -> str:
        if not UPLOAD.fullmatch(name):
            return name
        path = self.within(self.root / name)
        if not path.is_file():
            raise DataError(
                "an upload is in the workspace", received=f"{name}, which is gone", remedy="upload the file again"
            )
        return str(path)

    def relative(self, recipe: Recipe) -> Recipe:
        """The other way round: uploads of this workspace named as a page may name them."""
        return _with_files(recipe, self._relative)

    def _relative(self, name: str) -> str:
        path = Path(name)
        inside = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else ""
        return inside if UPLOAD.fullmatch(inside) else name

    def holds(self, path: str) -> bool:
        """Whether a file is in the workspace, links followed."""
        try:
            return Path(path).resolve().is_relative_to(self.root)
        except (OSError, ValueError, RuntimeError):
            return False

    # ── the trash ───────────────────────────────────────────────────────────────────────────────

    def discard(self, name: str) -> str:
        """Move a run to the trash; the ticket that brings it back. Raises `LayerwiseError` for other files in it."""
        folder = self.run(name)
        check_removable(folder)
        ticket = f"{time.time_ns():016x}-{name}"
        files.make_folder(self.within(self.trash))
        with files.storing(folder):
            folder.rename(self.trash / ticket)
        for old in self.trashed()[:-TRASH]:
            self._remove(old)
        return ticket

    def restore(self, ticket: str) -> str:
        """Bring a run back from the trash; its name. Raises `RunError` where there is none, or another has the name."""
        parts = _TICKET.fullmatch(ticket)
        if parts is None or ticket not in self.trashed():
            raise RunError("what is brought back is in the trash", received=ticket[:80], remedy="it is gone for good")
        name = checked_name(parts[2])
        target = self.within(self.runs / name)
        if target.exists():
            raise RunError(
                "a run comes back under its own name", received=f"another run named {name}", remedy="delete that first"
            )
        with files.storing(target):
            self.within(self.trash / ticket).rename(target)
        return name

    def trashed(self) -> list[str]:
        """The tickets of all runs in the trash, the oldest first."""
        if not self.trash.is_dir():
            return []
        found = self.within(self.trash).iterdir()
        return sorted(entry.name for entry in found if _TICKET.fullmatch(entry.name) and not entry.is_symlink())

    def empty_trash(self) -> int:
        """Remove what is in the trash for good; how many runs that were."""
        tickets = self.trashed()
        for ticket in tickets:
            self._remove(ticket)
        return len(tickets)

    def _remove(self, ticket: str) -> None:
        path = self.within(self.trash / ticket)
        with files.storing(path):
            shutil.rmtree(path)


def checked_name(name: str) -> str:
    """A name of one part, as a run may have. Raises `RunError` for paths, hidden names and the like.

    >>> checked_name("digits-1")
    'digits-1'
    """
    short = 0 < len(name.encode("utf-8", "replace")) <= NAME_BYTES
    if not short or not name.isprintable() or name.startswith(".") or set(name) & set("/\\:"):
        raise RunError(
            "a name in the workspace has one part, which can be printed and does not begin with a dot",
            received=repr(name[:80]),
            remedy="such as digits-1",
        )
    return name


def _with_files(recipe: Recipe, renamed: Callable[[str], str]) -> Recipe:
    """The recipe with other names for the files of its table."""
    data = recipe.data
    if not isinstance(data, r.TableData):
        return recipe
    split = data.split
    if isinstance(split, r.GivenSplit):
        split = msgspec.structs.replace(split, validation=renamed(split.validation), test=renamed(split.test))
    return msgspec.structs.replace(recipe, data=msgspec.structs.replace(data, path=renamed(data.path), split=split))
