"""The command line as a job: `python -m layerwise.studio.desk.attended train ...`.

Its standard input is a pipe from the server, which nothing is written to and which ends with the server, killed or
not, on any system. Then the job is interrupted as by Ctrl-C: what is trained so far is scored and saved.
"""

import _thread
import contextlib
import os
import runpy
import signal
import sys
import threading


def watch() -> None:
    """Interrupt this process once its standard input ends."""
    with contextlib.suppress(OSError):
        while os.read(0, 1 << 10):
            pass
    with contextlib.suppress(OSError):  # nobody reads any more what it says
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)  # which also ends a wait of the main thread


if __name__ == "__main__":
    threading.Thread(target=watch, name="layerwise-server", daemon=True).start()
    runpy.run_module("layerwise", run_name="__main__", alter_sys=True)
