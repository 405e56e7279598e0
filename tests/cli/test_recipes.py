"""`layerwise recipes` lists the built-in recipes and prints one."""

import tomllib

import pytest

from layerwise.cli import main
from layerwise.recipe import builtin


def test_list_names_every_built_in_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")] == list(builtin())
    assert err == ""


@pytest.mark.parametrize("name", builtin())
def test_one_is_printed_as_it_stands(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", name]) == 0
    out = capsys.readouterr().out
    assert out == builtin()[name]
    assert tomllib.loads(out)["layerwise"] == 1


def test_a_near_name_is_proposed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "digit"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "did you mean 'digits'?" in err
