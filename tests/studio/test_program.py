"""The recipe as a command and as a program: both say the very recipe, and train what was played with."""

import shlex
from typing import Any

import numpy as np
import pytest

from layerwise import train
from layerwise.recipe import load, plain
from layerwise.recipe.brief import brief
from layerwise.studio.games.session import DEFAULT, Session
from layerwise.studio.picture.program import programs
from layerwise.training import padded

OTHER: dict[str, Any] = {
    "data": {"kind": "toy", "name": "spiral", "n": 120, "split": {"kind": "stratified"}},
    "network": {"kind": "mlp", "hidden": [3, 2], "activation": ["tanh", {"kind": "leaky_relu", "slope": 0.2}]},
    "train": {"optimizer": {"kind": "adam", "beta1": 0.8}, "schedule": "cosine", "dropout": 0.1, "batch_size": 10},
    "task": {"kind": "classify", "class_weight": "balanced"},
    "seed": 3,
}
IRIS: dict[str, Any] = {"data": {"kind": "named", "name": "iris"}, "network": {"kind": "mlp", "hidden": [4]}}


def arguments(command: str) -> tuple[str, list[str]]:
    """The recipe and the settings of a command for a shell."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:2] == ["layerwise", "train"] and set(words[3::2]) <= {"--set"}
    return words[2], words[4::2]


@pytest.mark.parametrize("recipe", [DEFAULT, OTHER, IRIS])
def test_command_and_program_are_this_recipe_until_now(recipe: dict[str, Any]) -> None:
    session = Session(recipe)
    session.advance(3 * session.timeline.steps_per_epoch + 1)
    written = plain(session.recipe)
    train = {} if written["train"] == "auto" else written["train"]
    expected = plain(load({**written, "train": {**train, "epochs": 3}}))
    found = session.programs()
    name, settings = arguments(found["command"])
    assert plain(load(name, settings)) == expected
    scope: dict[str, Any] = {}
    before, after = found["python"].split("run = ")
    exec(before, scope)
    assert plain(load(scope["recipe"])) == expected and after == "layerwise.train(recipe)\nprint(run.model)\n"


def test_without_a_built_in_recipe_of_its_data_the_command_takes_the_file() -> None:
    session = Session({"data": {"kind": "toy", "name": "multi-gaussian", "n": 50}, "network": IRIS["network"]})
    assert session.programs()["command"] == "layerwise train recipe.toml"


def test_the_program_trains_what_is_on_the_page(tmp_path: Any) -> None:
    session = Session(DEFAULT)
    session.advance(5 * session.timeline.steps_per_epoch)
    name, settings = arguments(session.programs()["command"])
    run = train(load(name, settings), out=tmp_path / "run", progress=False)
    there = padded.unpack(session.timeline.parameters, session.network)
    for one, other in zip(run.model.network.layers, there.layers, strict=True):
        np.testing.assert_allclose(one.weight, other.weight, atol=1e-5)


def test_brief_is_read_as_the_same_recipe() -> None:
    for source in (DEFAULT, OTHER, "digits", "xor-by-hand"):
        recipe = load(source)
        assert load(brief(recipe)) == recipe


def test_a_file_of_the_workspace_is_named_as_its_owner_does() -> None:
    """Both begin with a line that is none of the program."""
    toml = 'data = { kind = "table", path = "uploads/0123456789abcdef.csv", target = "price" }'
    told = "# uploads/0123456789abcdef.csv is price.csv; run this in the folder of the workspace\n"
    found, plainly = programs(toml, 5, "price.csv"), programs(toml, 5)
    assert found == {form: told + text for form, text in plainly.items()}
