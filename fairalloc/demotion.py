"""Caps that demote: who asks for more stalls than the cap stands behind everybody else with what goes beyond.

The rule: in the order of the usual keys, the first ``max_stalls`` stalls that a holder asks for keep their place; what
goes beyond once stands behind all of those, what goes beyond twice behind these, and so on. Within a level the usual
order holds. Stalls that earlier campaigns gave come first. A request cannot be split: its last stall decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairalloc.caps import counted_earlier
from fairalloc.model import Applicant, ApplicantId, Application, ApplicationId, Earlier
from fairalloc.rules import Cap, Rules


@dataclass(frozen=True, slots=True)
class Demotion:
    """What demotion looks at.

    Attributes:
        caps: those that demote.
        labels: published ids of applicants.
        owners: the names of those behind whom an owner stands.
        earlier: stalls that earlier campaigns gave, by the names of the caps.
        several: whether requests for several stalls are served as asked; else each counts as one.
    """

    caps: tuple[Cap, ...]
    labels: Mapping[ApplicantId, str]
    owners: Mapping[ApplicantId, str]
    earlier: Mapping[str, int]
    several: bool

    @classmethod
    def of(
        cls,
        rules: Rules,
        earlier: Sequence[Earlier],
        applicants: Mapping[ApplicantId, Applicant],
        labels: Mapping[ApplicantId, str],
        owners: Mapping[ApplicantId, str],
    ) -> Demotion:
        """The demotion of a season; see :func:`fairalloc.caps.counted_earlier`."""
        caps = tuple(cap for cap in rules.caps if cap.effect == "demote")
        counted = counted_earlier(caps, earlier, applicants, labels, owners)
        return cls(caps, labels, owners, counted, rules.stalls.multiple == "adjacent")

    def levels(
        self, ordered: Sequence[Application], applicants: Mapping[ApplicantId, Applicant]
    ) -> dict[ApplicationId, int]:
        """How many times each request goes beyond a cap, 0 for most; where several caps demote, the most counts.

        Args:
            ordered: the applications in the order of the usual keys.
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
