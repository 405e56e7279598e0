"""The workspace: names that are no paths, links that lead out, uploads in recipes, and the trash."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise import files
from layerwise.errors import DataError, LayerwiseError, RunError
from layerwise.recipe import load, to_toml
from layerwise.studio.desk import workspace as workspaces
from layerwise.studio.desk.workspace import Workspace, checked_name

RECIPE = 'layerwise = 1\ndata = { kind = "toy", name = "moons" }\nnetwork = "mlp"\n'


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with one run, beside a folder that is none of its business."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "recipe.toml").write_text(RECIPE)
    found = Workspace(tmp_path / "own")
    made(found, "first")
    return found


def made(workspace: Workspace, name: str) -> Path:
    folder = workspace.runs / name
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


# ── names and paths ─────────────────────────────────────────────────────────────────────────────

OUTSIDE = ["", ".", "..", "../secret", "..\\secret", "a/b", "/etc", "\0", "first\0", ".trash", "first\n", "x" * 201,
           "é" * 101, "C:x", "first/", "\u202efirst", "~", "first/../../secret"]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_is_no_path(workspace: Workspace, name: str) -> None:
    for ask in (workspace.run, workspace.discard, workspace.restore):
        with pytest.raises(RunError):
            ask(name)
    assert workspace.run("first").is_dir()


@given(st.text(max_size=30))
def test_whatever_is_named_is_a_child(name: str) -> None:
    root = Path("somewhere").absolute()
    try:
        path = root / checked_name(name)
    except RunError:
        return
    assert path.parent == root and os.path.normpath(path) == str(path)


def test_names_as_people_give_them_are_good(workspace: Workspace) -> None:
    for name in ("Preise Köln (2)", "日本", "a..b", "first,second", "100 %"):
        made(workspace, name)
        assert workspace.run(name).name == name


def test_no_link_leads_out(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.runs / "link").symlink_to(tmp_path / "secret")
    folder = made(workspace, "half")
    (folder / "metrics.json").symlink_to(tmp_path / "secret" / "recipe.toml")
    best = made(workspace, "study") / "best"
    best.symlink_to(tmp_path / "secret")
    for name in ("link", "half", "study"):
        with pytest.raises(RunError, match="links"):
            workspace.run(name)
    workspace.uploads.symlink_to(tmp_path / "secret")
    with pytest.raises(RunError, match="links"):
        workspace.within(workspace.uploads / "recipe.toml")


# ── uploads in recipes ──────────────────────────────────────────────────────────────────────────

UPLOAD = "uploads/0123456789abcdef.csv"


def table(path: str, **more: Any) -> Any:
    return load({"data": {"kind": "table", "path": path, "target": "y", **more}, "network": "mlp"})


def test_an_upload_is_found_from_anywhere(workspace: Workspace, tmp_path: Path, monkeypatch: Any) -> None:
    workspace.uploads.mkdir()
    (workspace.root / UPLOAD).write_text("x,y\n1,2\n")
    recipe = table(UPLOAD, split={"kind": "given", "test": UPLOAD})
    monkeypatch.chdir(tmp_path)
    found = workspace.located(recipe)
    assert found.data.path == found.data.split.test == str(workspace.root / UPLOAD)  # type: ignore[union-attr]
    assert found.data.split.validation == "none"  # type: ignore[union-attr]
    assert workspace.relative(found) == recipe
    # Kept as a file in the workspace, the page's recipe means the same to the command line.
    kept = workspace.root / "mine.toml"
    kept.write_text(to_toml(recipe))
    assert load(kept).data.path == str(workspace.root / UPLOAD)  # type: ignore[union-attr]


def test_an_upload_that_is_gone_or_a_link_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone"):
        workspace.located(table(UPLOAD))
    workspace.uploads.mkdir()
    (workspace.root / UPLOAD).symlink_to(tmp_path / "secret" / "recipe.toml")
    with pytest.raises(RunError, match="links"):
        workspace.located(table(UPLOAD))


def test_other_files_keep_their_names(workspace: Workspace, tmp_path: Path) -> None:
    for path in ("other.csv", str(tmp_path / "other.csv"), str(workspace.root / "other.csv")):
        recipe = table(path)
        assert workspace.located(recipe) == workspace.relative(recipe) == recipe
    assert workspace.holds(str(workspace.root / "x.csv")) and not workspace.holds(str(tmp_path / "x.csv"))
    assert not workspace.holds(f"{workspace.root}/../secret/x")


# ── the trash ───────────────────────────────────────────────────────────────────────────────────


def test_deleting_can_be_undone(workspace: Workspace) -> None:
    content = (workspace.run("first") / "recipe.toml").read_bytes()
    ticket = workspace.discard("first")
    assert not (workspace.runs / "first").exists() and workspace.trashed() == [ticket]
    assert workspace.restore(ticket) == "first"
    assert (workspace.run("first") / "recipe.toml").read_bytes() == content and workspace.trashed() == []
    with pytest.raises(RunError, match="gone for good"):
        workspace.restore(ticket)


def test_a_run_does_not_come_back_over_another(workspace: Workspace) -> None:
    ticket = workspace.discard("first")
    made(workspace, "first")
    with pytest.raises(RunError, match="another run"):
        workspace.restore(ticket)
    other = workspace.discard("first")
    assert workspace.trashed() == [ticket, other]
    assert workspace.empty_trash() == 2 and workspace.trashed() == []


def test_the_trash_is_bounded(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspaces, "TRASH", 2)
    names = [f"run-{number}" for number in range(4)]
    for name in names:
        made(workspace, name)
        workspace.discard(name)
    assert [ticket.partition("-")[2] for ticket in workspace.trashed()] == names[2:]


def test_what_is_not_only_a_run_stays(workspace: Workspace) -> None:
    folder = workspace.run("first")
    (folder / "thesis.doc").write_text("years of work")
    with pytest.raises(LayerwiseError, match=r"thesis\.doc"):
        workspace.discard("first")
    assert (folder / "thesis.doc").read_text() == "years of work"


def test_what_is_being_trained_stays(workspace: Workspace) -> None:
    held = files.hold(workspace.run("first") / ".lock")
    assert held is not None
    with held, pytest.raises(LayerwiseError, match="once it is over"):
        workspace.discard("first")
    assert workspace.discard("first")


def test_tickets_of_others_are_left_alone(workspace: Workspace, tmp_path: Path) -> None:
    workspace.trash.mkdir()
    (workspace.trash / ("0" * 16 + "-link")).symlink_to(tmp_path / "secret")
    (workspace.trash / "note").write_text("mine")
    assert workspace.empty_trash() == 0
    assert (tmp_path / "secret" / "recipe.toml").exists() and (workspace.trash / "note").exists()
