"""The seeds after one seed, for what is trained several times."""

SEEDS = 2**32  # how many legal seeds there are: 0 to 4294967295


def seeds(first: int, count: int) -> tuple[int, ...]:
    """So many seeds from the first on, all different; after the largest legal one comes 0.

    >>> seeds(7, 3), seeds(4294967295, 3)
    ((7, 8, 9), (4294967295, 0, 1))
    """
    return tuple((first + more) % SEEDS for more in range(count))
