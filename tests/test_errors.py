"""What every error has in common."""

import copy
import pickle

import pytest

from layerwise.errors import LONGEST, DataError, LayerwiseError, MissingExtraError, RecipeError


def test_a_message_has_its_parts_under_each_other():
    error = DataError("a rule", received="this", remedy="that", place="here")
    assert str(error) == "a rule\n  at:       here\n  received: this\n  remedy:   that"
    assert str(DataError("a rule")) == "a rule"
    assert str(MissingExtraError("wfdb", extra="ecg")).endswith('pip install "layerwise[ecg]"')


@pytest.mark.parametrize("part", ["received", "remedy", "place"])
def test_what_is_endless_is_cut(part):
    """A file's header may hold a name of a megabyte."""
    whole, cut = "x" * LONGEST, "x" * 1_000_000
    assert getattr(LayerwiseError("a rule", **{part: whole}), part) == whole
    error = LayerwiseError("a rule" * 1000, **{part: cut})
    assert getattr(error, part) == "x" * (LONGEST - 3) + "..."
    assert len(error.rule) == LONGEST
    assert len(str(error)) < 2 * LONGEST + 50


@pytest.mark.parametrize(
    "error", [RecipeError("a rule", received="this", place="here"), MissingExtraError("a", extra="b")]
)
def test_errors_come_whole_out_of_other_processes(error):
    for again in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is type(error)
        assert (str(again), again.args) == (str(error), error.args)
