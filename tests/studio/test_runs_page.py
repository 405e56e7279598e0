"""The runs' page in a real browser: thousands of runs, one run, own tables, training for real, delete with undo."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from layerwise.studio.desk.workspace import Workspace
from layerwise.training.run import Run

Opened = Callable[..., Any]
MARKUP = "<img src=x onerror=alert(1)>"
TABLE = f'"{MARKUP}",width,kind\n' + "".join(
    f"{4 + i % 7 * 0.5},{2 + i % 5 * 0.3},{'rose' if i % 7 > 3 else MARKUP}\n" for i in range(80)
)
DRAWN = "#one-run .place-of-figure"  # by Plotly
GO = "(view) => import('/static/main.js').then(({ app }) => app.view(view))"


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on generated points."""
    folder = tmp_path_factory.mktemp("one") / "moons-1"
    recipe = {
        "data": {"kind": "toy", "name": "moons", "n": 120},
        "network": {"kind": "mlp", "hidden": [4]},
        "train": {"epochs": 6},
    }
    with Run(recipe, out=folder) as run:
        for _ in run:
            pass
    return folder


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    """The workspace of the server, empty before and after."""
    found = Workspace(folder)
    yield found
    for part in (found.runs, found.uploads, found.trash, found.jobs):
        shutil.rmtree(part, ignore_errors=True)


def copies(one: Path, workspace: Workspace, names: list[str]) -> None:
    """The run under several names; the later ones are newer."""
    workspace.runs.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        shutil.copytree(one, workspace.runs / name)
        past = 1_700_000_000 + number
        for file in ("recipe.toml", "events.jsonl"):
            os.utime(workspace.runs / name / file, (past, past))


def shown(page: Any, **view: str) -> None:
    page.page.evaluate(GO, {"page": "runs", "run": "", "find": "", "sort": "when", **view})


def names(page: Any) -> list[str]:
    found: list[str] = page.page.eval_on_selector_all(
        "#runs-rows .run-row", "(all) => all.map((one) => one.dataset.name)"
    )
    return found


def grave(page: Any) -> list[str]:
    found = Axe().run(page.page).response["violations"]
    return [each["id"] for each in found if each["impact"] in ("serious", "critical")]


# ── the list ────────────────────────────────────────────────────────────────────────────────────


def test_of_thousands_of_runs_those_in_sight_are_drawn(workspace: Workspace, opened: Opened, one: Path) -> None:
    workspace.runs.mkdir()
    for number in range(600):
        folder = workspace.runs / f"run-{number:04}"
        folder.mkdir()
        for file in ("recipe.toml", "metrics.json"):
            os.link(one / file, folder / file)
    copies(one, workspace, [MARKUP])
    page = opened()
    shown(page, sort="name")
    page.page.wait_for_selector('.run-row[data-name="run-0000"]')
    assert page.page.inner_text("#runs-count") == "601 runs"
    assert names(page)[0] == MARKUP and page.page.locator("#runs img").count() == 0
    assert len(names(page)) < 60
    page.page.focus(".run-row[data-index='0'] a")
    page.page.keyboard.press("ArrowDown")
    page.page.wait_for_function("() => document.activeElement.textContent === 'run-0000'")
    page.page.keyboard.press("End")
    page.page.wait_for_function("() => document.activeElement.textContent === 'run-0599'")
    assert len(names(page)) < 60
    page.page.fill("#runs-find", "RUN-05 moons")
    page.page.wait_for_function("() => document.getElementById('runs-count').textContent === '100 of 601 runs'")
    page.page.wait_for_selector('.run-row[data-name="run-0500"]')
    assert "find=RUN-05+moons" in page.page.url
    page.page.fill("#runs-find", "nothing is called that")
    page.page.wait_for_selector("#runs-empty:has-text('No run is like that.')")


def test_a_list_that_is_drawn_anew_keeps_the_focus(workspace: Workspace, opened: Opened, one: Path) -> None:
    """It is fetched again every few seconds; a run that came meanwhile pushes the others down."""
    copies(one, workspace, ["first", "second"])
    page = opened()
    shown(page)
    page.page.wait_for_selector('.run-row[data-name="first"]')
    for control in ("a", "input"):
        page.page.focus(f'.run-row[data-name="first"] {control}')
        page.page.evaluate("document.activeElement.old = true")
        copies(one, workspace, [f"newer-{control}"])
        page.page.evaluate("dispatchEvent(new Event('focus'))")
        page.page.wait_for_selector(f'.run-row[data-name="newer-{control}"]')
        page.page.wait_for_function("() => document.activeElement.closest('.run-row')?.dataset.name === 'first'")
        assert page.page.evaluate("[document.activeElement.localName, document.activeElement.old]") == [control, None]


def test_nobody_trained_yet(workspace: Workspace, opened: Opened) -> None:
    page = opened()
    shown(page)
    page.page.wait_for_selector("#runs-empty:has-text('No runs yet.')")
    assert grave(page) == []
    page.page.click("#train-digits")
    page.page.wait_for_selector("[data-job='digits-1'][data-status='training']")
    assert page.page.get_attribute("[data-page='runs'][aria-current]", "aria-label") == "Runs, 1 training"
    page.page.click("[data-job='digits-1'] button")
    page.page.wait_for_selector("[data-job='digits-1']", state="detached")


def test_sorted_compared_deleted_and_brought_back(workspace: Workspace, opened: Opened, one: Path) -> None:
    copies(one, workspace, ["old", "middle", "new"])
    recipe = workspace.runs / "middle" / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("seed = 0", "seed = 7"))
    os.utime(recipe, (1_700_000_001,) * 2)
    page = opened()
    shown(page)
    page.page.wait_for_selector(".run-row[data-name='new']")
    assert names(page) == ["new", "middle", "old"]
    assert grave(page) == []
    page.page.click("[data-sort='name'] button")
    page.page.wait_for_function("() => document.querySelector('#runs-rows .run-row').dataset.name === 'middle'")
    assert page.page.get_attribute("[data-sort='name']", "aria-sort") == "ascending"
    for name in ("old", "middle"):
        page.page.check(f".run-row[data-name='{name}'] input")
    page.page.click("#runs-said button:has-text('Compare')")
    page.page.wait_for_selector("h1:has-text('2 runs side by side')")
    rows = page.page.locator(".told:has(h2:text('Settings')) tbody tr")
    assert rows.all_inner_texts() == ["seed\t0\t7"]
    assert page.page.get_attribute(DRAWN, "aria-label").startswith("Loss: A ends at")
    page.page.wait_for_selector(f"{DRAWN} .scatterlayer .trace >> nth=1", state="attached")
    assert grave(page) == []
    page.page.click(".back")
    page.page.click("#runs-said button:has-text('Delete')")
    page.page.wait_for_selector("#runs-said:has-text('Deleted 2 runs.')")
    page.page.wait_for_selector("#runs-trash:has-text('2 deleted runs are kept.')")
    assert names(page) == ["new"] and not (workspace.runs / "old").exists()
    page.page.click("#runs-said button:has-text('Undo')")
    page.page.wait_for_selector(".run-row[data-name='old']")
    assert (workspace.runs / "middle" / "recipe.toml").is_file()


# ── one run ─────────────────────────────────────────────────────────────────────────────────────


def test_a_run_its_report_and_its_network_to_play_with(workspace: Workspace, opened: Opened, one: Path) -> None:
    copies(one, workspace, ["moons-1"])
    page = opened()
    assert not any("plotly" in address for address in page.asked)  # what plays goes without
    shown(page, run="moons-1")
    page.page.wait_for_selector(".told:has(h2:text('Diagnosis')) summary")
    assert "Trained for 6 epochs" in page.page.inner_text(".run-head")
    assert page.page.locator(".beside .own").count() == 1
    page.page.wait_for_selector(f"{DRAWN} .main-svg", state="attached")
    line = f"{DRAWN} .scatterlayer .trace:last-child path"
    ink = page.page.eval_on_selector(line, "(path) => getComputedStyle(path).stroke")
    page.page.click("#theme")  # a figure has the page's colors
    page.page.wait_for_function(
        "([line, ink]) => getComputedStyle(document.querySelector(line)).stroke !== ink", arg=[line, ink]
    )
    page.page.hover(f"{DRAWN} .nsewdrag >> nth=0")
    page.page.wait_for_selector(f"{DRAWN} .hoverlayer .legend", state="attached")
    assert page.page.locator(DRAWN).count() == 2 and "kept: epoch 6" in page.page.text_content(DRAWN)
    assert grave(page) == []
    with page.context.expect_page() as tab:
        page.page.click("#run-report")
    report = tab.value
    report.wait_for_selector("svg.main-svg", state="attached")
    # The report's scripts run in an origin of their own: the Studio is none of theirs.
    assert report.evaluate("[origin, location.pathname]") == ["null", "/reports/moons-1"]
    reached = (
        "(what) => { try { return what === 'cookie' ? document.cookie : localStorage.length } catch { return 'no' } }"
    )
    assert [report.evaluate(reached, what) for what in ("cookie", "storage")] == ["no", "no"]
    assert report.evaluate("fetch('/api/runs').then(() => 'yes', () => 'no')") == "no"
    report.close()
    page.page.click("#run-play")
    page.until("state.view.page === 'playground'")
    assert page.state("[state.scene.recipe.data.n, state.scene.recipe.network.hidden]") == [120, [4]]


# ── own tables ──────────────────────────────────────────────────────────────────────────────────


def test_a_table_is_played_with_and_trained_on(workspace: Workspace, opened: Opened, tmp_path: Path) -> None:
    file = tmp_path / f"{MARKUP.replace('/', '')}.csv"
    file.write_text(TABLE)
    page = opened()
    page.page.set_input_files("#own-table", file)
    page.page.wait_for_selector("#own-play")
    assert page.page.locator("#own tbody tr").count() == 3 and page.page.locator("#own img").count() == 0
    assert page.page.is_checked("[aria-label='Predict kind']") and grave(page) == []
    page.page.click("#own-play")
    page.until("state.scene.recipe.data.kind === 'table'")
    assert page.state("[state.scene.inputs, state.scene.names]") == [[MARKUP, "width"], [MARKUP, "rose"]]
    page.press("Shift+ArrowRight")
    assert page.state("state.step") > 0 and page.page.locator("main img").count() == 0

    page.page.set_input_files("#own-table", file)
    page.page.uncheck("[aria-label='width is an input']")
    page.page.click("#own-train")
    page.page.wait_for_selector("#train-toml")
    toml = page.page.input_value("#train-toml")
    assert 'width = "ignore"' in toml and grave(page) == []
    page.page.fill("#train-toml", toml.replace("epochs = 100", "epochs = none"))
    page.page.click("#train-start")
    page.page.wait_for_selector("#train-said:has-text('TOML')")
    page.complaints.clear()  # the browser notes every answer that is no success
    page.page.fill("#train-toml", toml.replace("epochs = 100", "epochs = 2"))
    page.page.fill("#train-name", "../flowers")
    page.page.click("#train-start")
    page.page.wait_for_selector(".run-row:has-text('finished')", timeout=60_000)
    page.page.click(".run-row a")
    page.page.fill(".predict input[type=text]", "6.5")
    page.page.click(".predict button[type=submit]")
    page.page.wait_for_selector(".answer .said")
    assert page.page.locator(".answer .odds").count() == 2 and page.page.locator("#one-run img").count() == 0
    with page.page.expect_download() as kept:
        page.page.set_input_files(".table-drop input", file)
    assert len(Path(kept.value.path()).read_text().splitlines()) == 81
    assert [path.parent for path in workspace.root.rglob("recipe.toml")] == [workspace.runs / "-flowers-1"]


def test_two_columns_of_many_are_played_with(workspace: Workspace, opened: Opened, tmp_path: Path) -> None:
    file = tmp_path / "leaves.csv"
    rows = (f"{i % 7},{i % 5},{i % 3},{'long' if i % 7 > 3 else 'short'}\n" for i in range(60))
    file.write_text("a,b,c,kind\n" + "".join(rows))
    page = opened()
    page.page.set_input_files("#own-table", file)
    page.page.wait_for_selector("#own-ways [value=all]:checked")
    page.page.select_option("#own-ways [data-axis='0']", "c")
    page.page.focus("#own-ways [data-axis='1']")
    page.page.select_option("#own-ways [data-axis='1']", "a")
    assert page.page.is_checked("#own-ways [value=two]") and grave(page) == []
    assert page.page.evaluate("document.activeElement.dataset.axis") == "1"  # whoever chooses stays there
    assert "Play takes 2 inputs; training takes every row and 3 inputs." in page.page.inner_text("#own-said")
    page.page.click("#own-play")
    page.until("state.scene.recipe.data.kind === 'table' && state.scene.plane.over.length === 2")
    assert page.state("[state.scene.inputs, state.scene.plane.over]") == [["a", "c"], ["c", "a"]]
    page.page.set_input_files("#own-table", file)
    page.page.wait_for_selector("#own-ways [value=all]:checked")
    page.page.check("[aria-label='Predict c']")
    assert page.page.locator("#own-ways [data-axis='0'] option").all_inner_texts() == ["a", "b", "kind"]


def test_a_file_that_is_no_table_is_told_in_words(workspace: Workspace, opened: Opened, tmp_path: Path) -> None:
    page = opened()
    (tmp_path / "junk.csv").write_bytes(b"PK\3\4" + bytes(500))
    page.page.set_input_files("#own-table", tmp_path / "junk.csv")
    page.page.wait_for_selector("#own [role=alert]:has-text('zip or Excel')")
    page.complaints.clear()


@pytest.mark.parametrize(("width", "height"), [(400, 850), (1920, 1080)])
def test_it_fits(workspace: Workspace, opened: Opened, one: Path, width: int, height: int) -> None:
    copies(one, workspace, ["a-run-with-a-name-that-is-longer-than-a-phone-is-wide-by-far-and-goes-on", "b"])
    page = opened(viewport={"width": width, "height": height})
    shown(page)
    page.page.wait_for_selector(".run-row[data-name='b']")
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    page.page.click(".run-row[data-name='b'] a")
    page.page.wait_for_selector(f"{DRAWN} .main-svg", state="attached")
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
