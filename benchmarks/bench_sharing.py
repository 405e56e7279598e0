"""How the time of a search grows with trials, cores, processes that share it, and through a Ray cluster.

    python benchmarks/bench_sharing.py [--storage URL] [--rounds 3]

The network of benchmarks/bench_search.py: digits, 64-128-64-10, batch 32, Adam, 30 epochs, over learning
rate, dropout and L2. Each search is a fresh process (or several) that compiles its programs itself. Timed
is the search alone, from its first event to the end of its last trial: no finals, no baselines. Shared
trials are in a database in a file, or in the one at `--storage`; each of the processes has cores of its
own, as it would on machines of its own. The best of the rounds counts, since others use the machine, too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
RECIPE: dict[str, Any] = {
    "data": {"kind": "named", "name": "digits"},
    "network": {"kind": "mlp", "hidden": [128, 64]},
    "train": {"epochs": 30, "batch_size": 32, "patience": 0},
    "search": {
        "space": {
            "train.learning_rate": {"log": [1e-4, 1e-2]},
            "train.dropout": {"uniform": [0, 0.5]},
            "train.l2": {"log": [1e-6, 1e-2]},
        }
    },
}


def search(given: dict[str, Any]) -> None:
    """Search in this process, print when it began and when its last trial ended, and leave at once."""
    if given["cores"]:
        os.sched_setaffinity(0, given["cores"])
    import time

    from layerwise.tuning.events import Searching, StudyStarted, TrialEnded
    from layerwise.tuning.study import Study

    began = ended = 0.0
    with Study(given["recipe"], storage=given["storage"], cluster=given["cluster"], out=given["out"]) as study:
        for event in study:
            if isinstance(event, StudyStarted):
                began = ended = time.time()
            elif isinstance(event, TrialEnded):
                ended = time.time()
            over = isinstance(event, Searching) and event.done == given["recipe"]["search"]["trials"]
            if over or study.status != "running":
                break
        print(json.dumps([began, ended]), flush=True)
        if given["cluster"]:
            study._lanes.close()  # type: ignore[union-attr]
        os._exit(0)


def timed(trials: int, cores: list[list[int]], storage: str | None = None, cluster: str | None = None) -> float:
    """Seconds of a search by as many processes as have cores."""
    with tempfile.TemporaryDirectory() as folder:
        shared = len(cores) > 1
        storage = (storage or f"sqlite:///{folder}/trials.db") if shared else None
        # Another name each time, since a search is one study wherever it is begun.
        recipe = {**RECIPE, "seed": int.from_bytes(os.urandom(3), "big")}
        recipe["search"] = {**RECIPE["search"], "trials": trials}
        environment = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"}
        processes = []
        for number, own in enumerate(cores):
            given = {"recipe": recipe, "storage": storage, "cluster": cluster, "cores": own}
            given["out"] = str(Path(folder) / str(number))
            command = [sys.executable, __file__, "--search", json.dumps(given)]
            processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, env=environment))
        times = [json.loads(process.communicate()[0]) for process in processes]
        return float(max(ended for _, ended in times) - min(began for began, _ in times))


def bookkeeping(storage: str | None, trials: int = 256) -> float:
    """Milliseconds that a trial costs to plan, take, report and tell."""
    import time

    from layerwise.recipe import decode
    from layerwise.tuning.ledger import Ledger
    from layerwise.tuning.space import Space

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with Ledger(
            storage or Path(folder) / "journal",
            name=f"bookkeeping-{os.getpid()}-{began}",
            owner="one",
            space=Space(decode(RECIPE)),
            method="random",
            trials=trials,
            seed=0,
            direction="minimize",
        ) as ledger:
            while tickets := ledger.take(16):
                for ticket in tickets:
                    ledger.report(ticket.number, 1, 1.0)
                    ledger.tell(ticket.number, "finished", 1.0)
        return 1000 * (time.perf_counter() - began) / trials


def main() -> None:
    """Print seconds for each way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--storage")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--search", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.search:
        search(json.loads(given.search))
    cases: dict[str, dict[str, Any]] = {
        f"{trials} trials, all cores": {"trials": trials, "cores": [CORES]} for trials in (16, 64, 256)
    }
    if len(CORES) > 1:  # not every system lets a process choose its cores
        each = [[core] for core in CORES]
        shared = f"64 trials, {len(each)} processes of one core each"
        cases["64 trials, one core"] = {"trials": 64, "cores": each[:1]}
        cases[shared] = {"trials": 64, "cores": each, "storage": given.storage}
    cases["64 trials, a Ray cluster on this machine"] = {"trials": 64, "cores": [[]], "cluster": "local"}
    for title, case in cases.items():
        best = min(timed(**case) for _ in range(given.rounds))
        print(f"{title:<45} {best:6.2f} s  {1000 * best / case['trials']:6.1f} ms a trial", flush=True)
    for title, storage in {"a journal": None, "a database": given.storage}.items():
        if storage or title == "a journal":
            best = min(bookkeeping(storage) for _ in range(given.rounds))
            print(f"bookkeeping in {title:<32}{best:6.2f} ms a trial", flush=True)


if __name__ == "__main__":
    main()
