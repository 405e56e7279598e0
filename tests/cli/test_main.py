"""What `main` makes of mistakes, faults and closed pipes: one message, one exit code, no traceback."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

import layerwise.cli
from layerwise.cli import main
from layerwise.cli import recipes as recipes_commands
from layerwise.errors import DataError, FailedError, MissingExtraError, RunError, StorageError

PROGRAM = "import sys; from layerwise.cli import main; sys.exit(main())"


def run(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    settings = {"capture_output": True, "text": True, "timeout": 120, **options}
    return subprocess.run([sys.executable, "-c", PROGRAM, *words], check=False, **settings)


# ── words that are wrong ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "message", "remedy"),
    [
        (["trian"], "No such command 'trian'", "did you mean 'train'?"),
        (["data", "lst"], "No such command 'lst'", "did you mean 'list'?"),
        (["train", "xor", "--sed", "1"], "No such option: --sed", "did you mean --seed"),
        (["train"], "Missing argument 'RECIPE'", "layerwise train --help"),
        (["data"], "Missing command", "layerwise data --help"),
        (["train", "xor", "--seed", "x"], "--seed", "layerwise train --help"),
        (["train", "xor", "--set"], "--set", "--help"),
        (["evaluate", "model.safetensors"], "--data", "layerwise evaluate --help"),
        (["recipes", "a", "b"], "extra argument", "layerwise recipes --help"),
        (["train", "digit"], "'digit'", "did you mean 'digits'?"),
        (["tune", "digit"], "'digit'", "did you mean 'digits'?"),
        (["tune", "digits", "--method", "gird"], "search.method", "did you mean 'grid'?"),
        (["init", ".", "-t", "y"], "the folder '.'", "name a CSV"),
        (["train", "nowhere.toml"], "the recipe file must exist", "layerwise recipes"),
        (["train", "xor", "--set", "train.epohcs=3"], "epohcs", "did you mean 'epochs'?"),
        (["train", "xor", "--set", "epochs"], "key=value", "train.epochs=20"),
        (["train", "xor", "--set", "train.learning_rate=-1"], "train.learning_rate", "above zero"),
        (["train", "xor", "--seed", "-1"], "seed", "4294967295"),
        (["train", "xor", "--time-limit", "soon"], "train.time_limit", '"5m"'),
        (["train", "xor", "--time-limit", '"\n'], "train.time_limit", '"5m"'),
        (["train", "xor-by-hand", "--time-limit", "5m"], "a time limit is for a recipe that trains", "leave"),
        (["resume", "nowhere"], "nowhere, which does not exist", "layerwise runs list"),
        (["predict", "nowhere.safetensors", "x.csv"], "model file", "check the path"),
        (["predict", "m", "x.csv", "--out", "y.txt"], "'y.txt'", "--out predicted.csv"),
        (["predict", "m", "x.csv", "--out", "nowhere/y.csv"], "nowhere", "choose another --out"),
        (["evaluate", "nowhere.safetensors", "--data", "x.csv"], "model file", "check the path"),
        (["data", "show", "irs"], "'irs'", "did you mean 'iris'?"),
        (["data", "get", "irs"], "'irs'", "did you mean 'iris'?"),
        (["runs", "compare", "nowhere"], "nowhere", "layerwise runs list"),
        (["runs", "remove", "nowhere"], "nowhere", "layerwise runs list"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(
    words: list[str], message: str, remedy: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err.split("remedy:")[0]
    assert remedy in err.split("remedy:")[1]
    assert list(tmp_path.iterdir()) == []


def test_json_does_not_change_how_mistakes_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "digit", "--json"]) == 2
    assert capsys.readouterr().out == ""


# ── help ────────────────────────────────────────────────────────────────────────────────────────


COMMANDS = [
    *("train", "resume", "evaluate", "predict", "play", "init", "recipes", "doctor", "data", "runs"),
    *("data list", "data show", "data get", "runs list", "runs compare", "runs remove"),
]


@pytest.mark.parametrize("words", [[], ["-h"], *([*command.split(), "--help"] for command in COMMANDS)], ids=" ".join)
@pytest.mark.parametrize("width", ["60", "80"])
def test_help_fits(
    words: list[str], width: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Usage: layerwise")
    assert err == ""
    assert "\b" not in out
    wrapped = [line for line in out.splitlines() if not line.startswith("    layerwise ")]  # examples are to be copied
    assert max(map(len, wrapped)) <= int(width)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("layerwise ")


def test_color_is_for_terminals_that_want_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for wish, colored in (("FORCE_COLOR", True), ("NO_COLOR", False)):
        monkeypatch.setenv(wish, "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        main(["train", "digit"])
        assert ("\x1b[1;31m" in capsys.readouterr().err) is colored


# ── what goes wrong inside ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Runs a command that raises what it is given; gives its exit code."""

    def fail_with(error: BaseException) -> int:
        def builtin() -> NoReturn:
            raise error

        monkeypatch.setattr("layerwise.recipe.reading.builtin", builtin)
        return main(["recipes"])

    return fail_with


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DataError("a rule", received="this", remedy="do that", place="here"), 2, "a rule"),
        (RunError("it is taken"), 2, "it is taken"),
        (FailedError("it failed"), 1, "it failed"),
        (StorageError("full"), 2, "full"),
        (MissingExtraError("wfdb", extra="ecg"), 2, 'pip install "layerwise[ecg]"'),
        (FileNotFoundError(errno.ENOENT, "No such file", "x.csv"), 2, "x.csv"),
        (PermissionError(errno.EACCES, "Permission denied", "x.csv"), 2, "Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "No space left"),
        (OSError(errno.EIO, "Input/output error"), 1, "Input/output error"),
        (OSError("no number"), 1, "no number"),
        (MemoryError(), 1, "not enough memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.\nmore"), 1, "not enough memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("oh\nno"), 1, "ZeroDivisionError: oh\n"),
        (DataError("escape \x1b[2J and \udc80 \x07"), 2, "escape \\x1b[2J and \\udc80 \\x07"),
        (DataError("[bold]markup[/nonsense]"), 2, "[bold]markup[/nonsense]"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_error_becomes_a_message(
    error: BaseException, code: int, message: str, failing: Callable[[BaseException], int],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert failing(error) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_a_fault_tells_how_to_see_the_traceback(
    failing: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(ZeroDivisionError("oh"))
    assert "LAYERWISE_TRACEBACK=1" in capsys.readouterr().err
    monkeypatch.setenv("LAYERWISE_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        failing(ZeroDivisionError("oh"))


def test_long_messages_are_not_wrapped(
    failing: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    failing(DataError("word " * 60))
    assert len(capsys.readouterr().err.splitlines()) == 1


# ── in a process of its own ─────────────────────────────────────────────────────────────────────


def test_exit_codes_and_streams() -> None:
    done = run("recipes", "xor")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# XOR")
    done = run("train", "nowhere.toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_early_is_no_error() -> None:
    for command in (["recipes"], ["recipes", "xor"], ["--help"]):
        read, write = os.pipe()
        os.close(read)
        done = run(*command, capture_output=False, stdout=write, stderr=subprocess.PIPE)
        os.close(write)
        assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_once() -> None:
    with open("/dev/full", "w") as full:
        done = run("recipes", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == "error: No space left on device\n"


def test_closed_streams_do_no_harm() -> None:
    code = f"import os; os.close(1); os.close(2); os.execv({sys.executable!r}, [{sys.executable!r}, '-c', {PROGRAM!r}, 'recipes'])"  # noqa: E501
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_terminal_of_few_letters() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = run("data", "show", "mnist", env=environment)
    assert done.returncode == 0
    assert run("train", "\u00fc\u20ac.toml", env=environment).returncode == 2


def test_only_light_things_are_imported_for_help_and_lists() -> None:
    code = "import sys; from layerwise.cli import main; main({words}); print(*sys.modules)"
    heavy = {"jax", "equinox", "optax", "sklearn", "scipy", "polars", "pandas"}
    for words, more in ((["--help"], {"numpy", "rich", "msgspec.inspect"}), (["recipes"], set())):
        done = subprocess.run(
            [sys.executable, "-c", code.format(words=words)], capture_output=True, text=True, timeout=60, check=True
        )
        loaded = set(done.stdout.splitlines()[-1].split())
        assert loaded & (heavy | more) == set(), words


def test_the_console_script_is_main() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"]["layerwise"] == "layerwise.cli:main"
    assert layerwise.cli.main is main
    assert recipes_commands.recipes.__name__ == "recipes"
