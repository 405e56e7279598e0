"""What the tests of the estimators share."""

from collections.abc import Callable
from functools import lru_cache

import pytest

from layerwise.training import loop


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many programs of training a test has used; they may be known from other tests."""
    monkeypatch.setattr(loop, "_compiled", lru_cache(loop._compiled.__wrapped__))
    return lambda: sum(len(loop._compiled(tiny)) for tiny in (True, False))
