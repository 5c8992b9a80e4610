"""Where: fairs, their stalls and what each stall offers."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fairalloc.errors import Defect, InvalidDataError
from fairalloc.model import Fair, FairId, PeriodId, Site, SiteId

DISTRICT_SHARE = (14, 13, 12, 11, 10, 10, 9, 8, 6, 3, 3, 1)
DISTRICTS = (
    *("South", "North-East", "East", "West", "South-East", "North", "South-West", "North-West", "Centre"),
    *("Green Town", "New Fields", "Three Oaks"),
)
_STREETS = ("Oak", "Station", "Mill", "River", "Market", "Garden", "School", "Church", "Linden", "Bridge", "Pond")
_AREAS = ("Upper", "Lower", "Old", "New", "Far", "Near")

CATEGORY_SHARE: Mapping[str, float] = {"vegetables": 0.5, "meat-dairy": 0.22, "fish": 0.1, "bread-groceries": 0.18}
GROUP_COUNT: Mapping[str, int] = {"vegetables": 15, "meat-dairy": 17, "fish": 9, "bread-groceries": 15}
FEATURES = ("cold", "power", "vehicle", "water")
_FEATURE_CHANCE = {
    "vegetables": (0.1, 0.5, 0.4, 0.3),
    "meat-dairy": (0.8, 0.9, 0.3, 0.6),
    "fish": (0.9, 0.95, 0.3, 0.7),
    "bread-groceries": (0.1, 0.7, 0.3, 0.2),
}
_ROW_LENGTH = 12
_MIN_STALLS, _MAX_STALLS = 5, 60


@dataclass(frozen=True, slots=True)
class Places:
    """Fairs and sites; ``wanted`` is how popular each fair is, in the order of ``fairs``."""

    fairs: tuple[Fair, ...]
    sites: tuple[Site, ...]
    wanted: np.ndarray[tuple[int], np.dtype[np.float64]]


def made_up_fairs(count: int) -> tuple[Fair, ...]:
    """Invented fairs, spread over the districts as Moscow's are."""
    share = np.array(DISTRICT_SHARE) / sum(DISTRICT_SHARE)
    ends = np.round(np.cumsum(share) * count).astype(int)
    fairs = []
    for number in range(count):
        district = int(np.searchsorted(ends, number, side="right"))
        street = _STREETS[number % len(_STREETS)]
        area = f"{_AREAS[number % len(_AREAS)]} {DISTRICTS[district]}"
        name = f"{street} Street {1 + number * 7 % 90}"
        fairs.append(Fair(FairId(str(47_001 + number * 13)), name, DISTRICTS[district], area))
    return tuple(fairs)


def make_places(
    rng: np.random.Generator, fairs: Sequence[Fair], stalls: int, periods: Sequence[str], *, last_is_half: bool
) -> Places:
    """Stalls for fairs: about ``stalls`` a period in all, the last period at about half of them if so asked."""
    size = _shares(rng.lognormal(0.0, 0.6, len(fairs)), stalls)
    sites: list[Site] = []
    for index, fair in enumerate(fairs):
        kinds = _stall_kinds(rng, int(size[index]))
        for number, period in enumerate(periods):
            # Every second fair is open in the short last period.
            if last_is_half and number == len(periods) - 1 and index % 2:
                continue
            sites += (_site(fair, period, position, *kind) for position, kind in enumerate(kinds))
    central = np.array([1.6 if fair.district in {"Centre", "South-West", "ЦАО", "ЮЗАО"} else 1.0 for fair in fairs])
    wanted = rng.lognormal(0.0, 0.9, len(fairs)) * central * np.maximum(size, 1)
    return Places(tuple(fairs), tuple(sorted(sites, key=lambda site: site.site_id)), wanted / wanted.sum())


def _shares(
    weights: np.ndarray[tuple[int], np.dtype[np.float64]], total: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Whole numbers near the weights that add up to the total, within 5 to 60 each where the total allows."""
    share: np.ndarray[tuple[int], np.dtype[np.int64]] = np.floor(weights / weights.sum() * total).astype(np.int64)
    if total >= _MIN_STALLS * len(weights):
        share = np.clip(share, _MIN_STALLS, max(_MAX_STALLS, -(-total // len(weights))))
    ceiling = max(_MAX_STALLS, -(-total // len(weights)))
    position = 0
    while share.sum() != total:
        step = 1 if share.sum() < total else -1
        fits = share[position] < ceiling if step > 0 else share[position] > min(_MIN_STALLS, total // len(weights))
        share[position] += step * int(fits)
        position = (position + 1) % len(weights)
    return share


def _stall_kinds(rng: np.random.Generator, count: int) -> list[tuple[frozenset[str], frozenset[str]]]:
    """Categories and features of a fair's stalls, the same in every period; categories stand together."""
    names = list(CATEGORY_SHARE)
    drawn = np.sort(rng.choice(len(names), size=count, p=list(CATEGORY_SHARE.values())))
    kinds = []
    for category, luck, features in zip(
        drawn.tolist(), rng.random(count).tolist(), rng.random((count, 4)).tolist(), strict=True
    ):
        name = names[category]
        offered = {name} if luck < 0.87 else {name, names[(category + 1) % 4]} if luck < 0.95 else set()
        chances = _FEATURE_CHANCE[name]
        has = {f for f, chance, draw in zip(FEATURES, chances, features, strict=True) if draw < chance}
        kinds.append((frozenset(offered), frozenset(has)))
    return kinds


def _site(fair: Fair, period: str, position: int, categories: frozenset[str], features: frozenset[str]) -> Site:
    row, place = divmod(position, _ROW_LENGTH)
    return Site(
        SiteId(f"{fair.fair_id}-{period}-{position + 1:03d}"),
        fair.fair_id,
        PeriodId(period),
        f"R{row + 1}",
        place + 1,
        str(position + 1),
        categories,
        features,
    )


def read_fairs(file: Path) -> tuple[Fair, ...]:
    """Fairs from a ``fairs.csv`` (columns fair_id, name, district, area at least).

    Raises:
        InvalidDataError: when the file cannot be read.
    """
    rows = _rows(file, ("fair_id", "name", "district", "area"))
    fairs = (Fair(FairId(row["fair_id"]), " ".join(row["name"].split()), row["district"], row["area"]) for row in rows)
    return tuple(sorted(fairs, key=lambda fair: fair.fair_id))


def read_groups(file: Path) -> dict[str, tuple[tuple[str, str], ...]]:
    """Product groups by category from a CSV with the columns group_id, speciality_id, name.

    Specialities 1 to 4 are the four categories in their order.

    Raises:
        InvalidDataError: when the file cannot be read.
    """
    groups: dict[str, list[tuple[str, str]]] = {name: [] for name in CATEGORY_SHARE}
    for row in _rows(file, ("group_id", "speciality_id", "name")):
        category = list(CATEGORY_SHARE)[int(row["speciality_id"]) - 1]
        groups[category].append((f"g{row['group_id']}", row["name"]))
    return {category: tuple(items) for category, items in groups.items()}


def _rows(file: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as source:
            rows = list(csv.DictReader(source))
        missing = [column for column in columns if rows and column not in rows[0]]
        if rows and not missing:
            return rows
        message = f"has no column {missing[0]!r}" if missing else "has no rows"
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot be read: {error}"
    raise InvalidDataError([Defect(file.name, 0, "", "", "synth.file", message, "give a CSV file with these columns")])
