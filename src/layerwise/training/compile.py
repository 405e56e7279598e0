"""How XLA compiles our programs; imported before anything that compiles.

Five settings matter on a CPU, all measured (docs/decisions/0004-one-kernel-for-tiny-networks.md):

* XLA runs a program as a sequence of kernels, about 0.1 us each. A Playground-sized step is 50 of
  them, and takes 6 us of which nearly all is hand-over. XLA can compile a whole loop to one kernel
  instead, if the loop is small enough by its own estimate; the limit is 1 kB unless raised here.
* The library calls that XLA makes for matrix products keep a loop from being one kernel, so `TINY`
  programs go without them. Larger programs are faster with them.
* XLA keeps a copy of every weight matrix that both the forward and the backward pass read, since it
  cannot see that the update comes last; told to look closer, it does without.
* JAX hands even a prediction for one row to another thread and waits for it there, which takes 40 us;
  called directly it takes 8, and no other Python thread waits, since the interpreter is let go of.
* Compiled programs are kept on disk, so that the second run of a kind starts at once.

The first is an environment variable that JAX reads once, at its first compilation; where the user
has set it, or has used JAX before importing us, nothing is lost but speed.
"""

import os
from typing import Any

from layerwise.data.download import cache_folder
from layerwise.errors import LayerwiseError

SMALL_LOOPS = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000"

ORDINARY: dict[str, str | bool] = {"xla_cpu_copy_insertion_use_region_analysis": True}
TINY: dict[str, str | bool] = {**ORDINARY, "xla_cpu_experimental_ynn_fusion_type": ""}


def options(*, tiny: bool) -> dict[str, str | bool] | None:
    """The compiler's options for a training program; None on devices other than CPUs."""
    import jax

    if jax.default_backend() != "cpu":
        return None
    return TINY if tiny else ORDINARY


def prepare() -> None:
    """Set the environment for JAX, and where it keeps compiled programs."""
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_extra_options" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {SMALL_LOOPS}".strip()
    import jax

    settings: Any = jax.config  # untyped
    settings.update("jax_cpu_enable_async_dispatch", False)
    if settings.jax_compilation_cache_dir is None:
        try:
            folder = cache_folder() / "programs"
        except LayerwiseError:  # no home, nowhere to keep them: compile each time
            return
        settings.update("jax_compilation_cache_dir", str(folder))
        settings.update("jax_persistent_cache_min_compile_time_secs", 0.1)
        settings.update("jax_persistent_cache_min_entry_size_bytes", 0)


prepare()
