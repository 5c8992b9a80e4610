"""A small season from rules and input at hand: what the solver is asked, and the files that the checker reads."""

from __future__ import annotations

from fairalloc.allocation import AllocationRequest, AllocationResult, Candidate
from fairalloc.bundle.files import certificate_file, input_files, outcome_file, screening_file
from fairalloc.guarantee import with_guarantees
from fairalloc.model import Applicant, Application, Choice, Fair, Incumbent, SeasonInput, Site
from fairalloc.outcome import outcomes
from fairalloc.reasons import Reason
from fairalloc.rules import parse_rules
from fairalloc.screening import Screening
from solver import verify
from solver.optimal import solve
from tests.placing import Placing
from tests.small_seasons import RULES


class MadeSeason(Placing):
    """A season whose queue follows the registration numbers."""

    def __init__(self, text: str, season: SeasonInput) -> None:
        self.text = text
        super().__init__(parse_rules(text), season)
        self.request = self._request()

    def files(self, result: AllocationResult) -> dict[str, bytes]:
        """The bundle files that the checker reads."""
        screening = [Screening(a.application_id, Reason.MEETS_RULES) for a in self.season.applications]
        told = outcomes(self.rules, self.season.fairs, self.request.sites, self.request.candidates, result)
        return {
            **input_files(self.text, self.season, self.numbers),
            "screening.csv": screening_file(screening, self.numbers),
            "outcome.csv": outcome_file(told),
            "certificate.json": certificate_file(self.rules, result, self.request.sites),
        }

    def _request(self) -> AllocationRequest:
        several = self.rules.stalls.multiple == "adjacent"
        people = {person.applicant_id: person for person in self.season.applicants}
        labels, owners = self.numbers.applicants, self.numbers.owners
        candidates = tuple(
            Candidate(
                application_no=self.numbers.applications[a.application_id],
                position=position,
                kind=people[a.applicant_id].kind,
                period=a.period,
                category=a.category,
                needs=a.needs,
                choices=a.choices,
                group=a.group,
                stalls_min=a.stalls_min if several else 1,
                stalls_max=a.stalls_max if several else 1,
                applicant=labels[a.applicant_id],
                owner=owners.get(a.applicant_id, labels[a.applicant_id]),
            )
            for position, a in enumerate(sorted(self.season.applications, key=lambda a: a.registration_no), start=1)
        )
        returning = frozenset(
            (c.application_no, self.numbers.sites[i.site_id])
            for c in candidates
            for i in self.season.incumbents
            if labels[i.applicant_id] == c.applicant and self.sites[i.site_id].period == c.period
        )
        by_number = {self.numbers.sites[site.site_id]: site for site in self.season.sites}
        if self.rules.numbering.returning == "guarantee":
            candidates = with_guarantees(self.rules, by_number, candidates, returning, {})
        return AllocationRequest(self.rules, by_number, candidates, returning)


class HandMade(MadeSeason):
    """A season in a few words. All of it happens in May; who is not named in ``people`` is a farmer.

    Args:
        rules: what is added to the rules.
        sites: fair and stalls: `{"F": "S1 S2 . S4"}`; a dot is a gap in the row.
        asked: applications in queue order: `"a: who fish/group 1-2 F/S1|F"`; the group may be left out.
        goals: in order.
        people: changes to applicants: `{"ann": {"owner_id": "bob"}}`.
        about: changes to sites: `{"S1": {"closed": True}}`.
        held: who held which site before: `{"S1": "ann"}`.
    """

    def __init__(self, rules, sites, asked, goals, *, people=None, about=None, held=None) -> None:
        text = (
            RULES.replace("{goals}", str(goals).replace("'", '"')) + '[stalls]\nid = "stalls"\nmultiple = "adjacent"\n'
        )
        stalls = [
            Site(
                **{"site_id": name, "fair_id": fair, "period": "may", "row": "R", "position": at, "number": name}
                | (about or {}).get(name, {})
            )
            for fair, row in sites.items()
            for at, name in enumerate(row.split())
            if name != "."
        ]
        told = [_asked(number, words) for number, words in enumerate(asked, start=1)]
        names = sorted({application.applicant_id for application in told} | set(people or {}))
        who = [Applicant(**{"applicant_id": name, "kind": "farmer"} | (people or {}).get(name, {})) for name in names]
        before = tuple(Incumbent(site, name) for site, name in sorted((held or {}).items()))
        fairs = tuple(Fair(name, name, "D") for name in sorted(sites))
        season = SeasonInput(fairs, tuple(sorted(stalls, key=lambda s: s.site_id)), tuple(who), tuple(told), before)
        super().__init__(text + rules, season)

    def with_text(self, text: str) -> HandMade:
        """The same season by other rules."""
        other = HandMade.__new__(HandMade)
        MadeSeason.__init__(other, text, self.season)
        return other

    def solved(self) -> dict[str, str]:
        """Who stands where, after the checker has agreed and every allocation has been tried; and what is proven."""
        result = solve(self.request)
        self.values = {proof.goal: proof.value for proof in result.proofs}
        assert tuple(self.values.values()) == self.brute_force()
        verdict = verify.check_files(self.files(result))
        assert not verdict.findings, verdict.findings
        assert verdict.proven == self.values
        sites = self.request.sites
        return {
            str(self.application[p.application_no].application_id): " ".join(
                sites[p.site_no + offset].site_id for offset in range(p.width)
            )
            for p in result.placements
        }


def _asked(number: int, words: str) -> Application:
    name, who, goods, stalls, choices = words.replace(":", "").split()
    category, _, group = goods.partition("/")
    least, _, most = stalls.partition("-")
    return Application(
        application_id=name,
        applicant_id=who,
        period="may",
        category=category,
        group=group,
        stalls_min=int(least),
        stalls_max=int(most or least),
        needs=frozenset(),
        choices=tuple(map(Choice.parse, choices.split("|"))),
        submitted_at=1_770_000_000_000_000_000 + number,
        registration_no=number,
    )
