"""Dates in the forms people write them, and what a network is shown of one.

A moment is a whole number of microseconds since 1970-01-01 (an offset such as +02:00 is taken off,
so that order is kept; a time without one stays as written). A network sees of it

* the days since 1970 with their fraction, standardized like any number (the trend),
* sine and cosine of the day of the year (the season, so that 31 December is next to 1 January),
* sine and cosine of the day of the week,
* sine and cosine of the time of day, where the training part has times other than midnight.

The sines come from tables of one entry a day or minute, so that one row and a million rows give the
same bits on every machine.
"""

import datetime
import math
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int64

MISSING = np.iinfo(np.int64).min
DAY = 86_400_000_000  # microseconds
_MINUTE = 60_000_000
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_FIRST = (datetime.date.min.toordinal() - _EPOCH) * DAY
_LAST = (datetime.date.max.toordinal() - _EPOCH + 1) * DAY - 1

_CLOCK = (
    r"(?:[T ]+(?P<H>[0-9]{1,2}):(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?)?"
    r" ?(?P<z>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_SHAPES = {
    "year-month-day": r"(?P<y>[0-9]{4})([-/.])(?P<m>[0-9]{1,2})\2(?P<d>[0-9]{1,2})",
    "day/month/year": r"(?P<d>[0-9]{1,2})([-/.])(?P<m>[0-9]{1,2})\2(?P<y>[0-9]{4}|[0-9]{2})",
    "month/day/year": r"(?P<m>[0-9]{1,2})([-/.])(?P<d>[0-9]{1,2})\2(?P<y>[0-9]{4}|[0-9]{2})",
    "day month year": r"(?P<d>[0-9]{1,2})[ -](?P<b>[A-Za-z]{3,9})\.?[ -](?P<y>[0-9]{4})",
    "month day, year": r"(?P<b>[A-Za-z]{3,9})\.? (?P<d>[0-9]{1,2}),? (?P<y>[0-9]{4})",
    "yearmonthday": r"(?P<y>(?:19|20)[0-9]{2})(?P<m>[0-9]{2})(?P<d>[0-9]{2})",
}
FORMS = {name: re.compile(shape + _CLOCK) for name, shape in _SHAPES.items()}
TURNED = {"day/month/year": "month/day/year", "month/day/year": "day/month/year"}  # day and month the other way round
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]


def moment(text: str, form: str) -> int | None:
    """Microseconds since 1970 of a text in one of `FORMS`, or None where it is not one.

    Two-digit years lie in 1970 to 2069.

    >>> moment("02.01.1970", "day/month/year") == DAY
    True
    >>> moment("31/02/2020", "day/month/year") is None
    True
    """
    found = FORMS[form].fullmatch(text)
    if found is None:
        return None
    parts = found.groupdict()
    year = int(parts["y"])
    if len(parts["y"]) == 2:
        year += 1900 if year >= 70 else 2000
    month = _month(parts["b"]) if "b" in parts else int(parts["m"])
    try:
        days = datetime.date(year, month, int(parts["d"])).toordinal() - _EPOCH
    except ValueError:
        return None
    clock = _clock(parts) if parts["H"] is not None else 0
    return None if clock is None else _within(days * DAY + clock)


def _within(moment: int) -> int:
    """Kept in the years 1 to 9999, which an offset can leave by some hours."""
    return max(_FIRST, min(moment, _LAST))


def _month(name: str) -> int:
    """1 to 12 of "Feb" or "february", or 0, which no date accepts."""
    name = name.lower()
    return next((i for i, month in enumerate(_MONTHS, start=1) if month == name or month[:3] == name), 0)


def _clock(parts: dict[str, str | None]) -> int | None:
    """Microseconds since midnight, the offset taken off."""
    hour, minute, second = int(parts["H"] or 0), int(parts["M"] or 0), int(parts["S"] or 0)
    if hour > 23 or minute > 59 or second > 60:
        return None
    micros = int(((parts["f"] or "") + "000000")[:6])
    offset = 0
    if (zone := parts["z"]) not in (None, "Z"):
        offset = (int(zone[1:3]) * 60 + int(zone[-2:])) * (-1 if zone[0] == "-" else 1)
    return (hour * 60 + minute - offset) * _MINUTE + second * 1_000_000 + micros


def moment_of(value: datetime.date) -> int:
    """Microseconds since 1970 of a Python date or date-time."""
    days = value.toordinal() - _EPOCH
    if not isinstance(value, datetime.datetime):
        return days * DAY
    clock = (value.hour * 60 + value.minute) * _MINUTE + value.second * 1_000_000 + value.microsecond
    offset = value.utcoffset()
    return _within(days * DAY + clock - (0 if offset is None else offset // datetime.timedelta(microseconds=1)))


def find_form(texts: Sequence[str]) -> tuple[str, bool]:
    """The form at least 95% of the texts are in ("" where none), and whether day and month could
    as well stand the other way round.

    >>> find_form(["13/02/2020", "01/02/2020"])
    ('day/month/year', False)
    >>> find_form(["1/2/2020"])
    ('day/month/year', True)
    """
    if not texts:
        return "", False
    shares = {form: sum(moment(text, form) is not None for text in texts) / len(texts) for form in FORMS}
    best = max(shares, key=lambda form: shares[form])
    if shares[best] < 0.95:
        return "", False
    other = TURNED.get(best, best)
    return best, other != best and shares[other] == shares[best]


def _circle(steps: int) -> Float32[np.ndarray, "steps 2"]:
    angles = [2 * math.pi * i / steps for i in range(steps)]
    return np.array([(math.sin(a), math.cos(a)) for a in angles], dtype=np.float32)


_SEASON, _WEEK, _HOURS = _circle(366), _circle(7), _circle(1440)


def days(moments: Int64[np.ndarray, " rows"]) -> Float64[np.ndarray, " rows"]:
    """Days since 1970 with their fraction; NaN where the moment is `MISSING`."""
    return np.where(moments == MISSING, np.nan, moments / DAY)


def has_times(moments: Int64[np.ndarray, " rows"]) -> bool:
    """Whether any moment is not at midnight."""
    return bool(np.any((moments != MISSING) & (moments % DAY != 0)))


def cycles(moments: Int64[np.ndarray, " rows"], clock: bool) -> Float32[np.ndarray, "rows cycles"]:
    """Sine and cosine of season and week, and of the time of day where `clock`; 0 where missing."""
    present = moments != MISSING
    day = np.where(present, moments, 0) // DAY
    date = day.astype("datetime64[D]")
    season = (date - date.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    parts = [_SEASON[season], _WEEK[(day + 3) % 7]]  # 1970-01-01 was a Thursday
    if clock:
        parts.append(_HOURS[np.where(present, moments, 0) % DAY // _MINUTE])
    return np.where(present[:, None], np.concatenate(parts, axis=1), np.float32(0))


def row_cycles(moment: int, clock: bool) -> list[float]:
    """`cycles` of one moment, as plain numbers."""
    day, rest = divmod(moment, DAY)
    season = datetime.date.fromordinal(day + _EPOCH).timetuple().tm_yday - 1
    parts = [*_SEASON[season].tolist(), *_WEEK[(day + 3) % 7].tolist()]
    return parts + _HOURS[rest // _MINUTE].tolist() if clock else parts


def written(moment: int) -> str:
    """A moment as "2024-05-31" or "2024-05-31 12:30"."""
    text = str(np.datetime64(moment, "us"))
    return text[:10] if moment % DAY == 0 else text[:16].replace("T", " ")
