"""Rows that are typed in, and digits that are drawn: what the network says of them."""

from typing import Any

import numpy as np
import pytest

from layerwise.errors import LayerwiseError
from layerwise.studio import protocol
from layerwise.studio.games.session import Session
from layerwise.studio.picture import asking
from layerwise.training import padded
from layerwise.training.forward import Forward

DIGITS: dict[str, Any] = {
    "data": {"kind": "named", "name": "digits"},
    "network": {"kind": "mlp", "hidden": [32], "activation": "relu"},
    "train": {"epochs": 1000, "batch_size": 32, "optimizer": "adam", "learning_rate": 0.003, "patience": 0},
}


@pytest.fixture(scope="module")
def digits() -> Session:
    session = Session(DIGITS)
    while session.step < 600:
        session.advance(600 - session.step)
    return session


def large(picture: np.ndarray) -> str:
    """A digit of the data as someone would draw it on the pad: each cell between its neighbors, in two thirds of it."""
    places = np.linspace(0, 7, 42)
    columns = np.array([np.interp(places, np.arange(8), line) for line in picture])
    smooth = np.array([np.interp(places, np.arange(8), column) for column in columns.T]).T
    sheet = np.zeros((asking.SIDE, asking.SIDE), int)
    sheet[15:57, 4:46] = smooth >= asking.FULL / 2
    return "".join(map(str, sheet.ravel()))


def test_digits_of_the_data_are_recognized_when_drawn(digits: Session) -> None:
    """Of those held out that the network knows, nearly all are known from a drawing elsewhere and larger."""
    rows = digits.dataset.validation[:60]
    raw = digits.dataset.raw(rows).reshape(-1, 8, 8)
    network = padded.unpack(digits.timeline.parameters, digits.network)
    known = Forward(network)(digits.dataset.x[rows]).argmax(axis=1)
    right = []
    for picture, y, taken in zip(raw, digits.dataset.y[rows], known, strict=True):
        if y == taken:
            said = digits.ask([], large(picture))()
            right.append(max(said["probabilities"], key=said["probabilities"].__getitem__) == str(y))
            assert abs(sum(said["probabilities"].values()) - 1) < 1e-5 and len(said["layers"][0]) == 32
    assert len(right) > 50 and np.mean(right) > 0.85


def test_a_drawing_is_counted_in_cells() -> None:
    sheet = np.zeros((64, 64), int)
    sheet[10:26, 40:44] = 1  # a bar of 16 x 4 dots becomes one of 32 x 8: two columns of full cells
    cells = asking.digit("".join(map(str, sheet.ravel()))).reshape(8, 8)
    assert (cells[:, 3:5] == 16).all() and cells.sum() == 16 * 16


def test_a_row_typed_in_is_answered_as_the_network_does() -> None:
    session = Session({"data": {"kind": "named", "name": "iris"}, "network": {"kind": "mlp", "hidden": [4]}})
    session.advance(30)
    row = session.dataset.raw(session.dataset.train[:1])[0].tolist()
    x = session.dataset.x[session.dataset.train[:1]]
    network = padded.unpack(session.timeline.parameters, session.network)
    expected = np.exp(Forward(network)(x)[0])
    for inputs in (row, dict(zip(session.dataset.encoder.names, row, strict=True))):
        said = session.ask(inputs, "")()
        assert list(said["probabilities"]) == ["setosa", "versicolor", "virginica"]
        np.testing.assert_allclose(list(said["probabilities"].values()), expected / expected.sum(), rtol=1e-4)
        np.testing.assert_allclose(said["inputs"], x[0], rtol=1e-5)


def test_quantities_are_said_in_their_unit() -> None:
    session = Session({"data": {"kind": "toy", "name": "plane", "n": 60}, "network": "linear"})
    (value,) = session.ask([0.5, 0.5], "")()["values"].values()
    assert np.isfinite(value)


@pytest.mark.parametrize("inputs", [[], [1.0], ["a", "b"], [1e300, 0.0], {"x1": 1.0}, {"x1": 1.0, "y": 2.0}, [None, 1]])
def test_junk_is_refused(inputs: Any) -> None:
    session = Session({"data": {"kind": "toy", "name": "moons", "n": 60}})
    with pytest.raises(LayerwiseError):
        session.ask(inputs, "")
    with pytest.raises(LayerwiseError, match="digits"):
        session.ask([], "1" * 4096)


def test_an_empty_sheet_and_other_drawings_are_refused() -> None:
    with pytest.raises(LayerwiseError, match="ink"):
        asking.digit("0" * 4096)
    for drawn in ("1" * 4095, "2" * 4096, "1" * 4096 + "\\n"):
        with pytest.raises(LayerwiseError):
            protocol.decoded(f'{{"id": 1, "do": "ask", "drawn": "{drawn}"}}')
    assert isinstance(protocol.decoded('{"id": 1, "do": "ask", "inputs": {"a": 1, "b": "x"}}'), protocol.Ask)
