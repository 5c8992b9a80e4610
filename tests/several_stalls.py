"""Random seasons in which every rule on placing may meet every other, small enough to try every allocation."""

from __future__ import annotations

import random
from collections.abc import Iterator

from fairalloc.errors import InvalidDataError
from fairalloc.model import Applicant, Application, Choice, Fair, Incumbent, SeasonInput, Site
from fairalloc.rules import parse_rules
from tests.made_season import MadeSeason
from tests.small_seasons import RULES

ALWAYS = ("placed", "priority", "choices", "extra_stalls", "comfort", "distinct")
FAIRS = tuple(Fair(name, name, "D") for name in ("F0", "F1"))


class SeveralStalls(MadeSeason):
    """One random season: at most five applications for one to three stalls each, in rows with gaps."""

    def __init__(self, rng: random.Random) -> None:
        text = _rules(rng)
        periods = ["may", "june"] if rng.random() < 0.3 else ["may"]
        sites = list(small_sites(rng, periods))
        people = list(small_people(rng))
        asked = [small_application(rng, i, people, periods, sites) for i in range(rng.randint(1, 5))]
        held = [Incumbent(s.site_id, rng.choice(people).applicant_id) for s in sites if rng.random() < 0.25]
        season = SeasonInput(FAIRS, tuple(sites), tuple(people), tuple(asked), tuple(held))
        super().__init__(text, season)


def _rules(rng: random.Random) -> str:
    """Rules drawn at random, with goals drawn until they are legal together."""
    text = RULES
    needed: set[str] = set()
    if rng.random() < 0.25:
        text = text.replace('[[categories]]\nid = "fish"', '[[categories]]\nid = "fish"\nown_sites = true')
    if rng.random() < 0.8:
        text += '[stalls]\nid = "stalls"\nmultiple = "adjacent"\n'
    for number in range(rng.choice([0, 0, 1, 1, 2])):
        text += _cap(rng, f"cap{number}")
    if rng.random() < 0.35:
        text += f'[[fair_caps]]\nid = "fair-cap"\n{_counted(rng)}\nmax_stalls = {rng.randint(0, 3)}\n'
    for number in range(rng.choice([0, 0, 0, 1, 1, 2])):
        needed.add("reserves")
        kinds = rng.choice(['["farmer"]', '["company"]', '["farmer", "company"]'])
        category = rng.choice(["", "", 'category = "fish"\n'])
        size = rng.choice([f"percent = {rng.choice([1, 30, 50, 100])}", f"stalls = {rng.randint(1, 3)}"])
        text += f'[[quotas]]\nid = "quota{number}"\nkinds = {kinds}\n{category}{size}\n'
    for number in range(rng.choice([0, 0, 0, 1, 2])):
        needed.add("minimums")
        text += f'[[minimums]]\nid = "minimum{number}"\n{_counted(rng)}\nmin_stalls = {rng.randint(1, 3)}\n'
    if rng.random() < 0.4:
        strength = rng.choice(["hard", "soft"])
        needed |= {"comfort"} if strength == "soft" else set()
        text += f'[spacing]\nid = "apart"\ndistance = {rng.randint(1, 2)}\nstrength = "{strength}"\n'
    text += f'[numbering]\nid = "numbering"\nreturning = "{rng.choice(["keep", "keep", "guarantee", "ignore"])}"\n'
    while True:
        goals = sorted(needed | set(rng.sample(ALWAYS, rng.randint(1, 4))))
        rng.shuffle(goals)
        told = text.replace("{goals}", str(goals).replace("'", '"'))
        try:
            parse_rules(told)
        except InvalidDataError:
            needed |= {rng.choice(["placed", "priority"])}
        else:
            return told


def _cap(rng: random.Random, name: str) -> str:
    of, per = rng.choice(["applicant", "owner"]), rng.choice(["period", "fair", "season"])
    more = rng.choice(["", 'kinds = ["farmer"]\n']) + rng.choice(["", "", 'categories = ["fish"]\n'])
    more += 'effect = "demote"\n' if per != "fair" and rng.random() < 0.1 else ""
    return f'[[caps]]\nid = "{name}"\nof = "{of}"\nper = "{per}"\nmax_stalls = {rng.randint(1, 3)}\n{more}'


def _counted(rng: random.Random) -> str:
    return rng.choice(['category = "fish"', 'group = "g0"'])


def small_people(rng: random.Random) -> Iterator[Applicant]:
    """One to four applicants, some of whom belong to others."""
    for i in range(rng.randint(1, 4)):
        owner = rng.choice(["", "", "x", "v0", "v1"])
        kind = rng.choice(["farmer", "company"])
        yield Applicant(f"v{i}", kind, owner_id="" if owner == f"v{i}" else owner)


def small_sites(rng: random.Random, periods: list[str]) -> Iterator[Site]:
    """One to four sites in a row with gaps at each of two fairs."""
    for i, fair in enumerate(("F0", "F1")):
        for period in periods:
            position = 0
            for number in range(rng.randint(1, 4)):
                position += 1 if rng.random() < 0.8 else 2
                yield Site(
                    site_id=f"s{i}{period}{number}",
                    fair_id=fair,
                    period=period,
                    row="R",
                    position=position,
                    number=str(number),
                    categories=frozenset(rng.choice([[], [], ["fish"], ["bread"]])),
                    features=frozenset(f for f in ("power", "water") if rng.random() < 0.7),
                    pool="farmers" if rng.random() < 0.1 else "",
                    closed=rng.random() < 0.1,
                )


def small_application(
    rng: random.Random, i: int, people: list[Applicant], periods: list[str], sites: list[Site]
) -> Application:
    """A request for one to three stalls by up to four choices."""
    period = rng.choice(periods)
    pool = [Choice("F0"), Choice("F1"), *(Choice(s.fair_id, s.number) for s in sites if s.period == period)]
    choices = rng.sample(pool, rng.randint(1, min(3, len(pool))))
    if rng.random() < 0.2:
        choices.append(Choice())
    least = rng.choice([1, 1, 2, 3])
    return Application(
        application_id=f"a{i}",
        applicant_id=rng.choice(people).applicant_id,
        period=period,
        category=rng.choice(["fish", "bread"]),
        group=rng.choice(["g0", "g0", "g1", ""]),
        stalls_min=least,
        stalls_max=rng.randint(least, 3),
        needs=frozenset(f for f in ("power", "water") if rng.random() < 0.15),
        choices=tuple(choices),
        submitted_at=1_770_000_000_000_000_000 + rng.randint(0, 3),
        registration_no=rng.randint(0, 10**6) * 100 + i,
    )
