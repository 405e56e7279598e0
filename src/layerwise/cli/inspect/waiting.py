"""How far an inspection that takes its time is: a bar on a terminal, a line in a log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from layerwise.progress.screen import messages, redraws
from layerwise.training.interrupt import Interrupts

if TYPE_CHECKING:
    from layerwise.inspection.trajectories import Retraining


@contextmanager
def waiting(words: str) -> Iterator[Callable[[float], None]]:
    """Show `words` on standard error within the block, which tells the function it gets what share is done.

    Where the share is never told, only a sign of life moves. Ctrl-C ends the block when it next tells, a second
    one at once: raised just anywhere, Python may drop it inside a callback of JAX's.
    """
    caught = False

    def catch() -> None:
        nonlocal caught
        caught = True

    def heed() -> None:
        if caught:
            raise KeyboardInterrupt

    interrupts = Interrupts(catch, lambda: caught)
    interrupts.hold()
    try:
        with _shown(words) as show:

            def tell(share: float) -> None:
                show(share)
                heed()

            yield tell
        heed()
    finally:
        interrupts.release()


@contextmanager
def _shown(words: str) -> Iterator[Callable[[float], None]]:
    console = messages()
    if not redraws(console):
        console.print(f"{words} ...", soft_wrap=True)
        yield lambda share: None
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn("dots", style="cyan"),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(words, total=None)
        yield lambda share: bar.update(task, completed=share, total=1.0)


def trained(training: "Retraining") -> None:
    """Train, and show how far it is."""
    from layerwise.training.events import Progress

    with waiting(
        f"training {training.subject.name}{' again, for its path' if training.subject.trained else ''}"
    ) as tell:
        for event in training:
            if isinstance(event, Progress):
                tell(event.epoch / training.end)
