"""Seasons that might come: the applicants of one season drawn anew, with replacement (Efron 1979, the bootstrap).

Drawn are whole owners: all applicants behind whom one stands, with all their applications. So whoever is drawn asks
for as much, of one another and within the same caps, as somebody did; drawn application by application, nobody would
reach a cap any more.

Invariants:
- everybody drawn is a new applicant with new ids, so that one who is drawn twice is two people who want the same;
- the same units, number and generator give the same season.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fairalloc.model import (
    Applicant,
    ApplicantId,
    Application,
    ApplicationId,
    Conduct,
    Earlier,
    Incumbent,
    SeasonInput,
)
from fairalloc.numbering import joined_owners


@dataclass(frozen=True, slots=True)
class Unit:
    """Who is drawn together: an owner's applicants, what they asked for, and what they had and did before.

    Those who did not apply are there too: they may join the others, and what they have counts where an owner's does.
    """

    applicants: tuple[Applicant, ...]
    applications: tuple[Application, ...]
    incumbents: tuple[Incumbent, ...]
    earlier: tuple[Earlier, ...]
    conduct: tuple[Conduct, ...] = ()


def units_of(season: SeasonInput) -> tuple[Unit, ...]:
    """Everybody in a season who applied, owner by owner, with all behind whom the same owner stands."""
    asked: dict[ApplicantId, list[Application]] = defaultdict(list)
    for application in season.applications:
        asked[application.applicant_id].append(application)
    held: dict[ApplicantId, list[Incumbent]] = defaultdict(list)
    for incumbent in season.incumbents:
        held[incumbent.applicant_id].append(incumbent)
    had: dict[ApplicantId, list[Earlier]] = defaultdict(list)
    for given in season.earlier:
        had[given.applicant_id].append(given)
    known = {one.applicant_id: one for one in season.conduct}
    owner = joined_owners(season.applicants)
    together: dict[str, list[Applicant]] = defaultdict(list)
    for applicant in season.applicants:
        together[owner.get(applicant.applicant_id, applicant.applicant_id)].append(applicant)
    return tuple(
        Unit(
            applicants=tuple(people),
            applications=tuple(application for who in people for application in asked.get(who.applicant_id, ())),
            incumbents=tuple(incumbent for who in people for incumbent in held.get(who.applicant_id, ())),
            earlier=tuple(given for who in people for given in had.get(who.applicant_id, ())),
            conduct=tuple(known[who.applicant_id] for who in people if who.applicant_id in known),
        )
        for _, people in sorted(together.items())
        if any(who.applicant_id in asked for who in people)
    )


def drawn_season(season: SeasonInput, units: Sequence[Unit], count: int, rng: np.random.Generator) -> SeasonInput:
    """A season with the fairs and sites of one, and so many units drawn with replacement.

    A stall that somebody held before is held by everyone drawn from them; one of them can have it. Decisions that place
    an application before the allocation are about people, and left out; sites that decisions keep free stay free.
    """
    applicants: list[Applicant] = []
    applications: list[Application] = []
    incumbents: list[Incumbent] = []
    earlier: list[Earlier] = []
    conduct: list[Conduct] = []
    for place, index in enumerate(rng.integers(0, len(units), count).tolist() if units else (), start=1):
        unit = units[index]
        names: dict[str, ApplicantId] = {}
        for person in unit.applicants:
            names[person.applicant_id] = ApplicantId(f"D{len(applicants) + len(names) + 1:07d}")
        owners: dict[str, str] = {}
        for person in unit.applicants:
            owner = person.owner_id and (
                names.get(person.owner_id) or owners.setdefault(person.owner_id, f"O{place:07d}-{len(owners) + 1}")
            )
            applicants.append(replace(person, applicant_id=names[person.applicant_id], owner_id=owner))
        for asked in unit.applications:
            number = ApplicationId(f"D{len(applications) + 1:07d}")
            applications.append(replace(asked, application_id=number, applicant_id=names[asked.applicant_id]))
        incumbents += (Incumbent(held.site_id, names[held.applicant_id]) for held in unit.incumbents)
        earlier += (replace(given, applicant_id=names[given.applicant_id]) for given in unit.earlier)
        conduct += (replace(one, applicant_id=names[one.applicant_id]) for one in unit.conduct)
    return replace(
        season,
        applicants=tuple(applicants),
        applications=tuple(applications),
        incumbents=tuple(sorted(incumbents, key=lambda held: (held.site_id, held.applicant_id))),
        earlier=tuple(earlier),
        conduct=tuple(conduct),
        same=(),
        followed=(),
        preallocations=tuple(decision for decision in season.preallocations if decision.application_id is None),
    )
