"""An allocation as it lies on the ground: who stands where, what is left over, and what counts against which rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from fairalloc.allocation import AllocationRequest, Candidate, Placement
from fairalloc.caps import cap_key, room
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import Choice
from fairalloc.rules import Cap, FairCap
from fairalloc.suiting import Run, Suiting, meets, runs_in


class Ground:
    """Indexes a request and its placements.

    Attributes:
        request: what was asked.
        candidates: by application number.
        placed: by application number.
        holder: who stands on a site.
        gone: sites that nobody holds and nobody can be given any more, as another campaign gives them out.
    """

    def __init__(self, request: AllocationRequest, placements: Sequence[Placement]) -> None:
        self.request, self.rules, self.sites = request, request.rules, request.sites
        self.candidates = {candidate.application_no: candidate for candidate in request.candidates}
        self.placed: dict[ApplicationNo, Placement] = {}
        self.holder: dict[SiteNo, ApplicationNo] = {}
        self.gone: frozenset[SiteNo] = frozenset()
        self.suiting = Suiting(request.rules)
        self._count: dict[str, dict[ApplicationNo, int]] = defaultdict(dict)
        self._at_fair: dict[tuple[str, str], list[SiteNo]] = defaultdict(list)
        self._known: dict[tuple[object, ...], list[Run]] = {}
        for number in sorted(request.sites, key=lambda n: (request.sites[n].row, request.sites[n].position)):
            self._at_fair[request.sites[number].fair_id, request.sites[number].period].append(number)
        for placement in placements:
            self.put(placement)

    def put(self, placement: Placement) -> None:
        """Put an application that stands nowhere on its sites."""
        number = placement.application_no
        self.placed[number] = placement
        self.holder.update(dict.fromkeys(self.run_of(placement), number))
        for key in self.keys(self.candidates[number], self.sites[placement.site_no].fair_id):
            self._count[key][number] = placement.width

    def lift(self, number: ApplicationNo) -> Placement | None:
        """Take an application off its sites; they are returned, None where it had none."""
        placement = self.placed.pop(number, None)
        if placement is not None:
            for site_no in self.run_of(placement):
                del self.holder[site_no]
            for key in self.keys(self.candidates[number], self.sites[placement.site_no].fair_id):
                del self._count[key][number]
        return placement

    @contextmanager
    def cleared(self, numbers: Iterable[int]) -> Iterator[None]:
        """The ground without some applications, which are put back afterwards."""
        lifted = [self.lift(ApplicationNo(number)) for number in numbers]
        try:
            yield
        finally:
            for placement in lifted:
                if placement is not None:
                    self.put(placement)

    @staticmethod
    def run_of(placement: Placement) -> Run:
        """The sites of a placement."""
        return tuple(SiteNo(placement.site_no + offset) for offset in range(placement.width))

    def fairs(self, period: str) -> list[str]:
        """The fairs that have sites in a period."""
        return sorted(fair for fair, when in self._at_fair if when == period)

    def sites_at(self, fair: str, period: str) -> list[SiteNo]:
        """The sites of a fair in a period, in the order of their rows."""
        return self._at_fair.get((fair, period), [])

    def runs(self, candidate: Candidate, fair: str, width: int) -> list[Run]:
        """The runs of a fair that suit an application, taken or not."""
        key = (fair, candidate.period, candidate.category, candidate.needs, candidate.kind, width)
        if key not in self._known:
            suited = [
                number
                for number in self.sites_at(fair, candidate.period)
                if not any(self.suiting.obstacles(self.sites[number], candidate))
            ]
            self._known[key] = list(runs_in(self.sites, suited, width))
        return self._known[key]

    def reached(self, candidate: Candidate, choice: Choice, width: int) -> Iterator[tuple[str, Run]]:
        """The runs that a choice means and that suit the application, with their fairs."""
        for fair in self.fairs(candidate.period) if choice.fair_id is None else [choice.fair_id]:
            for run in self.runs(candidate, fair, width):
                if choice.number is None or meets(choice, fair, [self.sites[number].number for number in run]):
                    yield fair, run

    def keys(self, candidate: Candidate, fair: str) -> Iterator[str]:
        """The names under which an application's stalls at a fair are counted, by caps, quotas and minimums."""
        for _, key in self._capping(candidate, fair):
            if key is not None:
                yield key
        for quota in self.rules.quotas:
            key = quota.key_of(fair, candidate.period, candidate.kind, candidate.category)
            if key is not None:
                yield key
        for minimum in self.rules.minimums:
            key = minimum.key_of(fair, candidate.period, candidate.category, candidate.group)
            if key is not None:
                yield key

    def _capping(self, candidate: Candidate, fair: str) -> Iterator[tuple[Cap | FairCap, str | None]]:
        for cap in self.rules.forbidding_caps:
            yield cap, cap_key(cap, candidate, fair)
        for fair_cap in self.rules.fair_caps:
            yield fair_cap, fair_cap.key_of(fair, candidate.period, candidate.category, candidate.group)

    def holders(self, key: str, but: ApplicationNo) -> Mapping[ApplicationNo, int]:
        """Stalls that others hold and that count under a name."""
        return {number: width for number, width in self._count.get(key, {}).items() if number != but}

    def full_cap(self, candidate: Candidate, fair: str, width: int) -> tuple[Cap | FairCap, str] | None:
        """The cap that leaves the application no room for so many stalls at a fair, and its name there."""
        for cap, key in self._capping(candidate, fair):
            if key is None:
                continue
            allowed = room(cap, key, self.request.earlier) if isinstance(cap, Cap) else cap.max_stalls
            if sum(self.holders(key, candidate.application_no).values()) + width > allowed:
                return cap, key
        return None

    def too_close(self, candidate: Candidate, run: Run) -> ApplicationNo | None:
        """Who stands too close to a run under hard spacing."""
        spacing = self.rules.spacing
        if spacing is None or spacing.strength != "hard" or not candidate.group:
            return None
        first, last = self.sites[run[0]], self.sites[run[-1]]
        near = range(first.position - spacing.distance, last.position + spacing.distance + 1)
        for number in self.sites_at(first.fair_id, first.period):
            site, holder = self.sites[number], self.holder.get(number)
            if holder in {None, candidate.application_no} or site.row != first.row or site.position not in near:
                continue
            if holder is not None and self.candidates[holder].group == candidate.group:
                return holder
        return None

    def is_free(self, candidate: Candidate, run: Run) -> bool:
        """Whether nobody else stands on a run, and none of it is gone."""
        mine = candidate.application_no
        return self.gone.isdisjoint(run) and all(self.holder.get(number, mine) == mine for number in run)

    def allows(self, candidate: Candidate, fair: str, run: Run) -> bool:
        """Whether the application could be put on a run as things are, moving nobody."""
        return (
            self.is_free(candidate, run)
            and self.full_cap(candidate, fair, len(run)) is None
            and self.too_close(candidate, run) is None
        )
