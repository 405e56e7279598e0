"""Ctrl-C within a context that ends in order: the first one cancels, a second one raises KeyboardInterrupt."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Interrupts:
    """Takes Ctrl-C from `hold` to `release`; `cancel` answers the first, unless `cancelled()` already.

    Only the main thread is interrupted, so elsewhere nothing is taken.
    """

    def __init__(self, cancel: Callable[[], None], cancelled: Callable[[], bool]) -> None:
        self._cancel, self._cancelled = cancel, cancelled
        self._before: Any = None

    def hold(self) -> None:
        """Take Ctrl-C."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupted)

    def again(self) -> None:
        """Take it back from who took it since, if it is held."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._interrupted)

    def release(self) -> None:
        """Give it back to who had it before."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self._cancelled():
            raise KeyboardInterrupt
        self._cancel()
