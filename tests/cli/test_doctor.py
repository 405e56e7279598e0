"""`layerwise doctor`."""

from pathlib import Path

import pytest

from layerwise.cli import doctor, main


def test_all_is_well(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "SECONDS", 0.01)
    monkeypatch.setenv("LAYERWISE_DATA", str(tmp_path))
    assert main(["doctor"]) == 0
    out, err = capsys.readouterr()
    for part in ("layerwise", "python", "jax ", "devices", "GFLOP/s", "cache", str(tmp_path)):
        assert part in out
    assert err == "done: nothing has to be mended\n"


def test_faults_are_told_with_their_remedies(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_devices() -> None:
        raise RuntimeError("Unable to initialize backend\nlong story")

    (tmp_path / "file").touch()
    monkeypatch.setattr("jax.devices", no_devices)
    monkeypatch.setattr(
        doctor, "needs", lambda: {"no-such-package": set(), "another": {"all", "ecg"}, "third": {"bench"}}
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("LAYERWISE_DATA", str(tmp_path / "nowhere"))
    assert main(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert 'another (pip install "layerwise[ecg]")' in " ".join(out.split())
    assert "third" not in out
    assert err.count("error:") == 4
    for part in (
        "pip install no-such-package",
        "Unable to initialize backend;",
        "XDG_CACHE_HOME",
        "correct or unset it",
    ):
        assert part in err


def test_the_rate_is_plausible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SECONDS", 0.01)
    assert 0.1 < doctor.gigaflops() < 1e7
