"""What pages ask for over HTTP: uploads, runs, reports, predictions; and what attackers get instead."""

import csv
import errno
import io
import json
import os
import socket
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from layerwise.recipe import load
from layerwise.studio.desk import uploads
from layerwise.studio.desk.uploads import Uploads
from layerwise.studio.desk.workspace import Workspace
from layerwise.training.padded import ROWS
from layerwise.training.run import Run

IRIS = "length,width,when,id,kind\n" + "".join(
    f"{4 + i % 7 * 0.5},{2 + i % 5 * 0.3},2024-0{1 + i % 9}-11,k{i},{'rose' if i % 7 > 3 else 'lily'}\n"
    for i in range(90)
)
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def trained(served: Any) -> str:
    """The name of a run in the workspace, trained on an upload."""
    status, upload = served.ask("POST", "/api/uploads?name=iris.csv", IRIS.encode())
    assert status == 200, upload
    toml = recipe(served, upload, "kind")
    workspace = served.studio.workspace
    raw = workspace.located(load_text(toml))
    with Run(raw, out=workspace.runs / "iris-1") as run:
        for _ in run:
            pass
    return "iris-1"


def load_text(toml: str) -> Any:
    raw = tomllib.loads(toml)
    raw["train"] = {"epochs": 3}
    raw["network"] = {"kind": "mlp", "hidden": [4]}
    return load(raw)


def recipe(served: Any, upload: Any, target: str, **more: Any) -> str:
    name = upload["path"].removeprefix("uploads/")
    status, found = served.ask("POST", f"/api/uploads/{name}/recipe", {"target": target, **more})
    assert status == 200, found
    text: str = found["toml"]
    return text


def refused(answer: tuple[int, Any], status: int = 400) -> dict[str, str]:
    assert answer[0] == status, answer
    error: dict[str, str] = answer[1]["error"]
    assert error["rule"] and "Traceback" not in str(error)
    return error


# ── uploads ─────────────────────────────────────────────────────────────────────────────────────


def test_a_table_is_looked_at_as_init_does(served: Any) -> None:
    status, found = served.ask("POST", "/api/uploads?name=iris.csv", IRIS.encode())
    assert status == 200 and found["name"] == "iris.csv" and found["look"]["rows"] == 90
    kinds = {column["name"]: column["kind"] for column in found["look"]["columns"]}
    assert kinds == {"length": "numeric", "width": "numeric", "when": "date", "id": "identifier", "kind": "category"}
    again = served.ask("POST", "/api/uploads?name=iris.csv", IRIS.encode())[1]
    assert again["path"] == found["path"]  # the same content is the same upload
    toml = recipe(served, found, "kind", left_out=["width", "nowhere"])
    assert f'path = "{found["path"]}"' in toml and "# iris.csv: 90 rows" in toml
    assert 'width = "ignore"' in toml and 'length = "numeric"' in toml
    refused(served.ask("POST", f"/api/uploads/{found['path'][8:]}/recipe", {"target": "kin"}))


def test_a_page_plays_with_its_table(served: Any, open_page: Any) -> None:
    upload = served.ask("POST", "/api/uploads?name=iris.csv", IRIS.encode())[1]
    name = upload["path"].removeprefix("uploads/")
    status, found = served.ask("POST", f"/api/uploads/{name}/play", {"target": "kind", "left_out": ["when"]})
    assert status == 200
    page = open_page()
    answer = page.ask("recipe", toml=found["toml"])
    assert answer["ok"], answer
    assert answer["scene"]["inputs"] == ["length", "width"] and answer["scene"]["names"] == ["lily", "rose"]
    assert page.ask("step", batches=20)["scene"]["step"] == 20
    assert answer["scene"]["file"] == "iris.csv" and "is iris.csv" in page.ask("programs")["programs"]["python"]
    assert served.ask("POST", "/api/recipes", {"toml": answer["scene"]["toml"]})[1]["name"] == "iris"
    # Every other file stays closed, also where it is named beside the upload.
    for path in (
        "uploads/../recipe.toml",
        f"{upload['path']}/../x",
        str(served.studio.workspace.root / upload["path"]),
    ):
        assert not page.ask("recipe", toml=found["toml"].replace(upload["path"], path))["ok"]


def test_of_many_rows_some_are_played_with(served: Any) -> None:
    many = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i % 2) for i in range(2 * ROWS))
    upload = served.ask("POST", "/api/uploads?name=many.csv", many)[1]
    name = upload["path"].removeprefix("uploads/")
    toml = served.ask("POST", f"/api/uploads/{name}/play", {"target": "b"})[1]["toml"]
    kept = {each["path"]: each for each in served.ask("GET", "/api/uploads")[1]}
    sample = next(each for path, each in kept.items() if path in toml)
    assert sample["look"]["rows"] == ROWS < many.count(b"\n") and sample["name"] == f"{ROWS:,} rows of many.csv"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds rows"),
        (b"\0\1\2\xff" * 1000, ""),
        (b"PK\3\4" + bytes(1000), "zip or Excel"),
        (b"PAR1" + bytes(1000), "Parquet file is whole"),
        (b"a\n1\n2\n", "a single column"),
        (b",".join(b"c%d" % i for i in range(100_000)) + b"\n" + b",".join([b"1"] * 100_000), "columns"),
        (b",".join(b"c%d" % i for i in range(1001)) + b"\n" + b",".join([b"1"] * 1001), "1,000 columns"),
        (b"a,b\n1\n", "fields"),
        (b'a,b\n"1,2\n', ""),
        (b"{" * 100_000, ""),
    ],
    ids=["empty", "junk", "zip", "parquet", "one", "100,000", "1,001", "short", "quote", "brackets"],
)  # fmt: skip
def test_what_is_no_table_is_refused_and_not_kept(served: Any, content: bytes, words: str) -> None:
    before = sorted(served.studio.workspace.uploads.iterdir()) if served.studio.workspace.uploads.is_dir() else []
    error = refused(served.ask("POST", "/api/uploads?name=own.csv", content))
    assert words in " ".join(error.values()) and ".incoming" not in str(error)
    assert sorted(served.studio.workspace.uploads.iterdir()) == before


def test_names_and_values_are_texts(served: Any) -> None:
    """They come to the page as JSON, which a browser never takes for markup, and into TOML with its quotes."""
    table = f'"{MARKUP}","a ""b"" = 1",y\n' + "".join(f'{i},"{MARKUP}{i % 3}",{i % 2}\n' for i in range(30))
    upload = served.ask("POST", f"/api/uploads?name={MARKUP.replace(' ', '%20')}.csv", table.encode())[1]
    assert [column["name"] for column in upload["look"]["columns"]] == [MARKUP, 'a "b" = 1', "y"]
    assert load_text(recipe(served, upload, "y")).data.columns.keys() == {MARKUP, 'a "b" = 1'}
    assert load_text(recipe(served, upload, "y", left_out=[MARKUP])).data.columns[MARKUP] == "ignore"


def test_the_uploads_are_bounded(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "TOTAL", 200)
    served.ask("POST", "/api/uploads?name=old.csv", b"a,b\n1,2\n3,4\n")
    error = refused(served.ask("POST", "/api/uploads?name=new.csv", b"a,b\n" + b"1,2\n" * 60))
    assert "the oldest is" in error["remedy"]


def test_a_table_that_is_too_large_is_not_read(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "BYTES", 1000)
    assert "has up to 1.0 kB" in refused(served.ask("POST", "/api/uploads?name=a.csv", b"x" * 1001), 413)["rule"]


def test_a_body_without_end_is_cut(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "BYTES", 1 << 20)
    for path, limit in (("/api/uploads?name=a.csv", 1 << 20), ("/api/jobs", 256 << 10)):
        with socket.create_connection(("127.0.0.1", served.access.port), timeout=30) as line:
            head = [f"POST {path} HTTP/1.1", f"Host: {served.host}", f"Cookie: {served.cookie}",
                    f"Origin: http://{served.host}", "Transfer-Encoding: chunked", "", ""]  # fmt: skip
            line.sendall("\r\n".join(head).encode())
            sent = 0
            with pytest.raises(OSError):
                while sent < 64 << 20:
                    line.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                    sent += 65536
            assert sent >= limit // 2
    assert not list(served.studio.workspace.uploads.glob(".incoming-*"))


def test_a_full_disk_is_told_in_words(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(uploads.os, "replace", full)
    error = refused(served.ask("POST", "/api/uploads?name=a.csv", b"a,b\n1,2\n8,9\n"), 507)
    assert "No space left" in error["received"] and "make room" in error["remedy"]
    assert not list(served.studio.workspace.uploads.glob(".incoming-*"))


def test_uploads_that_are_links_are_none(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    workspace = Workspace(tmp_path / "own")
    workspace.uploads.mkdir(parents=True)
    (workspace.uploads / "0123456789abcdef.csv").symlink_to(tmp_path / "secret.csv")
    (workspace.uploads / "0123456789abcdef.csv.json").write_text("{}")
    assert Uploads(workspace).all() == []


# ── who may ask ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/uploads"), ("POST", "/api/jobs"), ("DELETE", "/api/runs/iris-1"), ("DELETE", "/api/trash"),
     ("POST", "/api/runs/iris-1/report"), ("DELETE", "/api/jobs/iris-1"), ("POST", "/api/trash/x")],
)  # fmt: skip
def test_only_the_page_itself_changes_anything(served: Any, trained: str, method: str, path: str) -> None:
    for headers in (
        {"Origin": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://localhost:{served.access.port}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Cookie": ""},
        {"Cookie": "a=b"},
        {"Host": "evil.example"},
    ):
        assert served.ask(method, path, b"{}", **headers)[0] == 403, headers
    assert served.ask("GET", "/api/runs", Cookie="")[0] == 403
    assert served.ask("GET", "/api/runs/iris-1", Origin="http://evil.example")[0] == 403
    assert served.studio.workspace.run("iris-1").is_dir()


OUTSIDE = ["..", "%2e%2e", "..%2f..%2fetc", "%2fetc%2fpasswd", "a%00b", "x" * 400, "%F0%9F%92%A9" * 80, ".trash",
           "..%5c..%5cx", "iris-1%2f..%2f..", "%ff", "C%3A"]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_name_leads_out(served: Any, trained: str, name: str) -> None:
    for method, path in (
        ("GET", f"/api/runs/{name}"),
        ("DELETE", f"/api/runs/{name}"),
        ("GET", f"/api/runs/{name}/form"),
        ("POST", f"/api/trash/{name}"),
        ("DELETE", f"/api/uploads/{name}"),
        ("GET", f"/reports/{name}"),
    ):
        status, answer = served.ask(method, path, b"" if method == "POST" else None)
        assert status in (400, 404, 405), (method, path, answer)
        assert b"root:" not in (answer if isinstance(answer, bytes) else json.dumps(answer).encode())
    assert served.studio.workspace.run("iris-1").is_dir()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"toml": 3}', b"\xff\xfe", b'{"x": 1}'])
def test_bodies_that_make_no_sense_are_refused(served: Any, body: bytes) -> None:
    refused(served.ask("POST", "/api/jobs", body))


@pytest.mark.parametrize(
    "data",
    [
        'kind = "table", path = "/etc/passwd", target = "x"',
        'kind = "table", path = "../x.csv", target = "x"',
        'kind = "table", path = "uploads/0123456789abcdef.csv", target = "x"',
        'kind = "images", path = "/", size = [8, 8]',
        'kind = "toy", name = "moons", n = 100000000',
    ],
)
def test_a_page_trains_on_nothing_else(served: Any, data: str) -> None:
    toml = f"data = {{ {data} }}"
    refused(served.ask("POST", "/api/jobs", {"toml": toml, "name": "a"}))
    assert served.ask("GET", "/api/jobs")[1] == []


# ── runs ────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_tells_what_it_came_to(served: Any, trained: str) -> None:
    page = served.ask("GET", "/api/runs?find=iris&sort=score")[1]
    row = next(row for row in page["rows"] if row["name"] == trained)
    assert row["status"] == "finished" and row["length"] == "3 epochs" and len(row["curve"]) == 3
    status, found = served.ask("GET", f"/api/runs/{trained}")
    assert status == 200 and found["part"] == "test" and found["model"]
    assert [each["heading"] for each in found["charts"]["figures"]] == ["Loss", "Accuracy"]
    assert "the network" in found["rivals"]["names"] and len(found["rivals"]["names"]) > 4
    assert all(0 <= place <= 1 for places in found["rivals"]["places"] for place in places)
    first = next(line for line in found["scores"] if line["part"] == "test")["cells"][0]
    assert float(first["low"]) <= float(first["value"]) <= float(first["high"])
    assert 'path = "uploads/' in found["toml"] and found["playable"]
    assert str(served.studio.workspace.root) not in json.dumps(found)


def test_a_model_predicts_in_a_form(served: Any, trained: str) -> None:
    fields = served.ask("GET", f"/api/runs/{trained}/form")[1]
    kinds = {field["name"]: (field["kind"], field["hint"]) for field in fields["fields"]}
    assert kinds["length"] == ("number", "4 to 7") and kinds["when"][0] == "date"
    row = {"length": "6.5", "width": "2.3", "when": "2024-05-11"}
    status, said = served.ask("POST", f"/api/runs/{trained}/predict", row)
    assert status == 200 and said["answers"][0]["name"] == "kind" and said["unusual"] == []
    assert sum(each["share"] for each in said["shares"]) == pytest.approx(1)
    assert {each["name"] for each in said["shares"]} == {"rose", "lily"}
    unusual = served.ask("POST", f"/api/runs/{trained}/predict", {**row, "length": "60"})[1]["unusual"]
    assert unusual == [{"name": "length", "words": "1 value outside of 4 to 7"}]
    refused(served.ask("POST", f"/api/runs/{trained}/predict", {**row, "length": MARKUP}))
    refused(served.ask("POST", f"/api/runs/{trained}/predict", {**row, "length": "9" * 5000}))
    status, wrong = served.ask("POST", f"/api/runs/{trained}/predict", {**row, "length": "long"})
    assert status == 400 and "row 0" not in json.dumps(wrong) and "leave the field empty" in json.dumps(wrong)


def test_a_table_gets_predictions_back(served: Any, trained: str) -> None:
    status, found = served.ask("POST", f"/api/runs/{trained}/predictions", IRIS.encode())
    rows = list(csv.DictReader(io.StringIO(found["csv"])))
    assert status == 200 and len(rows) == 90 and {"row", "kind", "p_rose", "p_lily"} == set(rows[0])
    refused(served.ask("POST", f"/api/runs/{trained}/predictions", b"a,b\n1,2\n"))
    assert not list(served.studio.workspace.uploads.glob(".incoming-*"))


def test_the_diagnosis_and_the_report(served: Any, trained: str) -> None:
    status, found = served.ask("GET", f"/api/runs/{trained}/diagnosis")
    assert status == 200 and found["opening"] and found["healthy"]
    refused(served.ask("GET", f"/reports/{trained}"))  # reading writes nothing
    assert served.ask("POST", f"/api/runs/{trained}/report")[0] == 200
    status, headers, body = served.get(f"/reports/{trained}")
    assert status == 200 and headers["content-type"].startswith("text/html") and b"layerwise" in body
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["sandbox"] == "allow-scripts" and policy["connect-src"] == policy["default-src"] == "'none'"
    assert served.get(f"/reports/{trained}", Cookie="")[0] == 403


def test_data_outside_of_the_workspace_are_not_read(served: Any, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("a,y\n" + "".join(f"{i % 7},{i % 2}\n" for i in range(40)))
    raw = {"data": {"kind": "table", "path": str(table), "target": "y"}, "train": {"epochs": 1}}
    workspace = served.studio.workspace
    with Run(raw, out=workspace.runs / "outside") as run:
        for _ in run:
            pass
    assert "outside of its workspace" in refused(served.ask("GET", "/api/runs/outside/diagnosis"))["rule"]
    refused(served.ask("POST", "/api/runs/outside/report"))
    toml = served.ask("GET", "/api/runs/outside")[1]["toml"]
    refused(served.ask("POST", "/api/jobs", {"toml": toml, "name": "again", "again": "outside"}))
    assert served.ask("GET", "/api/jobs")[1] == []


def test_runs_side_by_side(served: Any, trained: str) -> None:
    workspace = served.studio.workspace
    with Run(
        {"data": {"kind": "toy", "name": "moons", "n": 60}, "train": {"epochs": 2}}, out=workspace.runs / "moons-1"
    ) as run:
        for _ in run:
            pass
    status, found = served.ask("GET", f"/api/compare?name={trained}&name=moons-1")
    assert status == 200 and found["names"] == [trained, "moons-1"] and not found["alike"]
    assert found["settings"]["train.epochs"] == ["3", "2"] and len(found["charts"]["figures"]) == 1
    assert not any(cell and cell["best"] for line in found["scores"] for cell in line["cells"])
    for query in ("", f"name={trained}", "name=a&name=b", "&".join(f"name=r{i}" for i in range(50))):
        refused(served.ask("GET", f"/api/compare?{query}"))


def test_delete_and_undo(served: Any, trained: str) -> None:
    status, found = served.ask("DELETE", f"/api/runs/{trained}")
    assert status == 200 and served.ask("GET", "/api/runs")[1]["trash"] == 1
    refused(served.ask("GET", f"/api/runs/{trained}"))
    assert served.ask("POST", f"/api/trash/{found['ticket']}")[1] == {"name": trained}
    assert served.ask("GET", f"/api/runs/{trained}")[0] == 200


def test_the_playgrounds_recipe_gets_an_end(served: Any) -> None:
    toml = 'data = { kind = "toy", name = "moons" }\ntrain = { epochs = 1000000, patience = 0 }'
    status, found = served.ask("POST", "/api/recipes", {"toml": toml})
    assert status == 200 and "epochs = 500" in found["toml"] and "patience = 50" in found["toml"]
    assert len(found["notes"]) == 2
    assert "digits" in {each["name"] for each in served.ask("GET", "/api/recipes")[1]}


def test_a_job_that_was_interrupted_is_gone_on_with_but_not_with_files_elsewhere(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in a workspace may have been written by anybody."""
    folder = served.studio.workspace.jobs
    folder.mkdir(exist_ok=True)
    (folder / "left-1.toml").write_text('data = { kind = "toy", name = "moons", n = 60 }\ntrain = { epochs = 2 }')
    (folder / "evil-1.toml").write_text('data = { kind = "table", path = "/etc/passwd", target = "x" }')
    status = {job["name"]: job["status"] for job in served.ask("GET", "/api/jobs")[1]}
    assert status == {"left-1": "interrupted", "evil-1": "interrupted"}
    assert "passwd" in refused(served.ask("POST", "/api/jobs/evil-1"))["received"]
    refused(served.ask("POST", "/api/jobs/none-1"))
    assert served.ask("DELETE", "/api/jobs/evil-1")[0] == 200 and not (folder / "evil-1.toml").exists()
    assert served.ask("POST", "/api/jobs/left-1") == (200, {})
    while (job := served.ask("GET", "/api/jobs")[1][0])["status"] in ("waiting", "training"):
        time.sleep(0.05)
    assert (job["name"], job["status"]) == ("left-1", "done")
    assert served.ask("DELETE", "/api/jobs/left-1")[0] == 200 and served.ask("GET", "/api/jobs")[1] == []


def test_a_table_that_is_long_to_read_keeps_nobody_waiting(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are read; the lists, which come from other threads, are answered meanwhile."""
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slow(self: Uploads, *_: Any) -> str:
        begun.release()
        assert go_on.wait(30)
        return ""

    monkeypatch.setattr(Uploads, "play", slow)
    body = {"target": "y", "left_out": []}
    asking = [
        threading.Thread(target=served.ask, args=("POST", "/api/uploads/0123456789abcdef.csv/play", body))
        for _ in range(3)
    ]
    try:
        for each in asking:
            each.start()
        assert begun.acquire(timeout=30)
        assert served.ask("GET", "/api/jobs")[0] == 200 and served.ask("GET", "/api/runs")[0] == 200
    finally:
        go_on.set()
        for each in asking:
            each.join(30)
