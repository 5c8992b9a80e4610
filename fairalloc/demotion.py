"""Who stands behind others: whoever a sanction demotes, and what goes beyond a cap that demotes.

Sanctions come first: every request of somebody whom one demotes stands behind those of everybody else, in the usual
order. Caps follow, in the order that this leaves, among the demoted and among the others each.

The rule of caps: in that order, the first ``max_stalls`` stalls that a holder asks for keep their place; what goes
beyond once stands behind all of those, what goes beyond twice behind these, and so on. Within a level the usual order
holds. Stalls that earlier campaigns gave come first. A request cannot be split: its last stall decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fairalloc.caps import counted_earlier
from fairalloc.model import Applicant, ApplicantId, Application, ApplicationId, Conduct, Earlier
from fairalloc.rules import Cap, Rules
from fairalloc.sanctions import Sanctions


@dataclass(frozen=True, slots=True)
class Demotion:
    """What demotion looks at.

    Attributes:
        caps: those that demote.
        labels: published ids of applicants.
        owners: the names of those behind whom an owner stands.
        earlier: stalls that earlier campaigns gave, by the names of the caps.
        several: whether requests for several stalls are served as asked; else each counts as one.
        sanctions: by what is known of earlier campaigns.
    """

    caps: tuple[Cap, ...]
    labels: Mapping[ApplicantId, str]
    owners: Mapping[ApplicantId, str]
    earlier: Mapping[str, int]
    several: bool
    sanctions: Sanctions = field(default_factory=Sanctions)

    @classmethod
    def of(
        cls,
        rules: Rules,
        earlier: Sequence[Earlier],
        conduct: Sequence[Conduct],
        applicants: Mapping[ApplicantId, Applicant],
        labels: Mapping[ApplicantId, str],
        owners: Mapping[ApplicantId, str],
    ) -> Demotion:
        """The demotion of a season; see :func:`fairalloc.caps.counted_earlier`."""
        caps = tuple(cap for cap in rules.caps if cap.effect == "demote")
        counted = counted_earlier(caps, earlier, applicants, labels, owners)
        several = rules.stalls.multiple == "adjacent"
        return cls(caps, labels, owners, counted, several, Sanctions.of(rules, conduct, owners))

    def reordered(
        self, ordered: Sequence[Application], applicants: Mapping[ApplicantId, Applicant]
    ) -> Sequence[Application]:
        """The applications, given in the order of the usual keys, with whoever is demoted behind the others."""
        behind = {name for name in {a.applicant_id for a in ordered} if self.sanctions.demotes(applicants[name])}
        ordered = sorted(ordered, key=lambda application: application.applicant_id in behind)
        if not self.caps:
            return ordered
        level = self.levels(ordered, applicants)
        return sorted(ordered, key=lambda a: (a.applicant_id in behind, level[a.application_id]))

    def levels(
        self, ordered: Sequence[Application], applicants: Mapping[ApplicantId, Applicant]
    ) -> dict[ApplicationId, int]:
        """How many times each request goes beyond a cap, 0 for most; where several caps demote, the most counts.

        Args:
            ordered: the applications in the order in which they count.
            applicants: by id.
        """
        asked: Counter[str] = Counter(self.earlier)
        levels: dict[ApplicationId, int] = {}
        for application in ordered:
            who, stalls = application.applicant_id, application.stalls_max if self.several else 1
            level = 0
            for cap in self.caps:
                holder = self.labels[who] if cap.of == "applicant" else self.owners.get(who, self.labels[who])
                key = cap.key_of(applicants[who].kind, application.category, holder, application.period, "")
                if key is not None:
                    asked[key] += stalls
                    level = max(level, (asked[key] - 1) // cap.max_stalls)
            levels[application.application_id] = level
        return levels
