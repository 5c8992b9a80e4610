"""Applicants who share things that owners share: a list for a clerk to look into, and nothing else.

What is shared is told, never what it means: a family has one address, a bookkeeper files for many by one device. No
application is refused by it, nothing of it is stored, published or recorded on chain, and an allocation does not know
it: who is told that they are one owner is told so by `owner_id` in applicants.csv, after somebody has asked them.

The city hands over hashes that it made with a key of its own, so that equal things are equal here and nobody can read
them, or find them by trying all telephone numbers. They are no input of the season: what is published must be enough
to check an allocation, and these must not be published.

Invariants:
- a group is a connected part of the graph whose edges are the things that link (its transitive closure);
- a thing that more than ``common`` applicants share links nobody: it is told once, with their number.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fairalloc.model import Applicant, ApplicantId, Application, Earlier, SeasonInput
from fairalloc.numbering import joined_owners
from fairalloc.rules import Cap, Rules
from fairalloc.sanctions import Sanctions
from fairalloc.screening import screen
from fairalloc.status import Status

WEIGHT: Mapping[str, int] = {"bank_account": 10, "device": 6, "phone": 5, "email": 5, "address": 2}
"""What a thing that two applicants share adds to a group's score; shared by more, so much less for each one more."""
THING: Mapping[str, str] = {
    "bank_account": "a bank account",
    "device": "a device",
    "phone": "a telephone number",
    "email": "an e-mail address",
    "address": "an address",
}
COMMON = 50


@dataclass(frozen=True, slots=True, order=True)
class Contact:
    """An applicant has something, of which only the city's keyed hash is known."""

    applicant_id: ApplicantId
    what: str
    hash: str


@dataclass(frozen=True, slots=True)
class SharedThing:
    """One thing and everybody who has it, sorted."""

    what: str
    hash: str
    applicants: tuple[ApplicantId, ...]

    @property
    def strength(self) -> float:
        """What it adds to the score of a group."""
        return round(WEIGHT[self.what] / (len(self.applicants) - 1), 2)


@dataclass(frozen=True, slots=True)
class CapPassed:
    """A cap on owners that a group would pass if it were one owner: what it asks for, or was given, and may have.

    Counted where the cap counts: in a period, at a fair (of those who name it), or in the season (both empty).
    """

    rule: str
    effect: str
    period: str
    fair: str
    asked: int
    allowed: int


@dataclass(frozen=True, slots=True)
class Group:
    """Applicants whom shared things link.

    Attributes:
        applicants: by their ids, sorted.
        things: that link them, the strongest first.
        score: of all things together; it orders the list and means nothing by itself.
        joined: whether `owner_id` makes all of them one owner already.
        passes: the caps that they would pass as one owner, with all whom `owner_id` joins to any of them.
    """

    applicants: tuple[ApplicantId, ...]
    things: tuple[SharedThing, ...]
    score: float
    joined: bool
    passes: tuple[CapPassed, ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """What was found: groups, those to look at first before others; and things too common to link anybody."""

    groups: tuple[Group, ...]
    common: tuple[SharedThing, ...]


def find_linked(rules: Rules, season: SeasonInput, contacts: Iterable[Contact], common: int = COMMON) -> Linked:
    """Groups of applicants who share something.

    Args:
        rules: of the season.
        season: everything that was handed in.
        contacts: of its applicants.
        common: the most applicants who are linked by one thing.
    """
    things = shared_things(contacts)
    linking = [thing for thing in things if len(thing.applicants) <= common]
    owners = joined_owners(season.applicants)
    asking = _Asking(rules, season, owners)
    of: dict[ApplicantId, list[SharedThing]] = defaultdict(list)
    for thing in linking:
        of[thing.applicants[0]].append(thing)
    groups = []
    for people in connected(thing.applicants for thing in linking):
        shared = sorted((t for one in people for t in of.get(one, ())), key=lambda t: (-t.strength, t.what, t.hash))
        names = {owners.get(one, one) for one in people}
        groups.append(
            Group(
                applicants=people,
                things=tuple(shared),
                score=round(sum(thing.strength for thing in shared), 2),
                joined=len(names) == 1,
                passes=asking.passed(people),
            )
        )
    groups.sort(key=lambda group: (group.joined, not group.passes, -group.score, group.applicants))
    return Linked(tuple(groups), tuple(thing for thing in things if len(thing.applicants) > common))


def shared_things(contacts: Iterable[Contact]) -> tuple[SharedThing, ...]:
    """Every thing that two or more applicants have, sorted."""
    having: dict[tuple[str, str], set[ApplicantId]] = defaultdict(set)
    for contact in contacts:
        having[contact.what, contact.hash].add(contact.applicant_id)
    return tuple(
        SharedThing(what, hash_, tuple(sorted(people)))
        for (what, hash_), people in sorted(having.items())
        if len(people) > 1
    )


def connected(edges: Iterable[Sequence[ApplicantId]]) -> tuple[tuple[ApplicantId, ...], ...]:
    """The connected parts of a graph whose edges join two or more, by union-find; sorted, and each in itself."""
    above: dict[ApplicantId, ApplicantId] = {}

    def top(name: ApplicantId) -> ApplicantId:
        while above.setdefault(name, name) != name:
            above[name] = above[above[name]]
            name = above[name]
        return name

    for first, *others in edges:
        for other in others:
            above[top(other)] = top(first)
    parts: dict[ApplicantId, list[ApplicantId]] = defaultdict(list)
    for name in sorted(above):
        parts[top(name)].append(name)
    return tuple(sorted(map(tuple, parts.values())))


def words_of(group: Group, applicant: ApplicantId) -> str:
    """What an applicant shares, and with whom: `shares a bank account with V001, V002; shares an address with V003`."""
    told = []
    for thing in group.things:
        if applicant in thing.applicants:
            others = ", ".join(other for other in thing.applicants if other != applicant)
            told.append(f"shares {THING[thing.what]} with {others}")
    return "; ".join(told)


def cap_words(passed: CapPassed) -> str:
    """A cap that a group would pass, in words."""
    where = "".join((f" in {passed.period}" if passed.period else "", f" at {passed.fair}" if passed.fair else ""))
    return f"{passed.rule}: {passed.asked} stalls{where or ' in the season'} where one owner may have {passed.allowed}"


class _Asking:
    """Counts what applicants ask for together, as a cap on owners counts it."""

    def __init__(self, rules: Rules, season: SeasonInput, owners: Mapping[ApplicantId, str]) -> None:
        self._caps = tuple(cap for cap in rules.caps if cap.of == "owner")
        self._several = rules.stalls.multiple == "adjacent"
        self._fairs = tuple(fair.fair_id for fair in season.fairs)
        self._people: dict[ApplicantId, Applicant] = {person.applicant_id: person for person in season.applicants}
        self._owners = owners
        self._together: dict[str, list[ApplicantId]] = defaultdict(list)
        for name, owner in owners.items():
            self._together[owner].append(name)
        sanctions = Sanctions.of(rules, season.conduct, owners)
        screened = screen(rules, season.applications, self._people, sanctions)
        eligible = {decision.application_id for decision in screened if decision.status is Status.ELIGIBLE}
        self._asked: dict[ApplicantId, list[Application]] = defaultdict(list)
        for application in season.applications:
            if application.application_id in eligible:
                self._asked[application.applicant_id].append(application)
        self._had: dict[ApplicantId, list[Earlier]] = defaultdict(list)
        for given in season.earlier:
            self._had[given.applicant_id].append(given)

    def passed(self, people: Collection[ApplicantId]) -> tuple[CapPassed, ...]:
        """The caps that some applicants would pass as one owner."""
        everybody = {name for one in people for name in self._together.get(self._owners.get(one, ""), ())} | {*people}
        return tuple(passed for cap in self._caps for passed in self._passed(cap, everybody))

    def _passed(self, cap: Cap, everybody: Collection[ApplicantId]) -> list[CapPassed]:
        counted: Counter[str] = Counter()
        for one in everybody:
            kind = self._people[one].kind
            for application in self._asked.get(one, ()):
                stalls = application.stalls_max if self._several else 1
                for fair in self._named(application) if cap.per == "fair" else ("",):
                    counted[cap.key_of(kind, application.category, "", application.period, fair) or ""] += stalls
            for given in self._had.get(one, ()):
                counted[cap.key_of(kind, given.category, "", given.period, given.fair_id) or ""] += given.stalls
        del counted[""]
        told = []
        for key, stalls in sorted(counted.items()):
            if stalls > cap.max_stalls:
                _, _, period, fair = key.split("|")
                told.append(CapPassed(cap.id, cap.effect, period, fair, stalls, cap.max_stalls))
        return told

    def _named(self, application: Application) -> Collection[str]:
        """The fairs that a request names, or all of them."""
        fairs = {choice.fair_id for choice in application.choices}
        return self._fairs if None in fairs else {fair for fair in fairs if fair is not None}
