"""Sanctions: whoever did not come, or lost places, too often in earlier campaigns is refused or stands behind others.

The rule: an applicant is sanctioned by a rule on their kind when their no-shows, or their revocations, reach its
numbers; one of the two is enough. With ``of = "owner"`` those of everybody behind whom the same owner stands are added
up. A rule that refuses is asked in screening. A rule that demotes puts every request of the applicant behind those of
everybody who is not demoted by such a rule; several such rules demote no further than one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fairalloc.model import Applicant, ApplicantId, Conduct
from fairalloc.rules import Rules, Sanction

_Counts = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sanctions:
    """The rules on sanctions, and the no-shows and revocations that they look at.

    Attributes:
        rules: in the order of the season's rules.
        own: of applicants.
        joint: of everybody of an owner, by the owner's name.
        owners: the names of those behind whom an owner stands.
    """

    rules: tuple[Sanction, ...] = ()
    own: Mapping[str, _Counts] = field(default_factory=dict)
    joint: Mapping[str, _Counts] = field(default_factory=dict)
    owners: Mapping[ApplicantId, str] = field(default_factory=dict)

    @classmethod
    def of(cls, rules: Rules, conduct: Sequence[Conduct], owners: Mapping[ApplicantId, str]) -> Sanctions:
        """The sanctions of a season.

        Args:
            rules: of the season.
            conduct: what is known of earlier campaigns.
            owners: the names of those behind whom an owner stands.
        """
        own: dict[str, _Counts] = {}
        joint: dict[str, _Counts] = {}
        for known in conduct if rules.sanctions else ():
            for counts, name in ((own, known.applicant_id), (joint, owners.get(known.applicant_id))):
                if name is not None:
                    no_shows, revocations = counts.get(name, (0, 0))
                    counts[name] = (no_shows + known.no_shows, revocations + known.revocations)
        return cls(rules.sanctions, own, joint, owners)

    def refusing(self, applicant: Applicant) -> Sanction | None:
        """The first rule that refuses an applicant."""
        return next((rule for rule in self.rules if rule.effect == "refuse" and self._reached(rule, applicant)), None)

    def demotes(self, applicant: Applicant) -> bool:
        """Whether an applicant stands behind everybody who is not demoted."""
        return any(rule.effect == "demote" and self._reached(rule, applicant) for rule in self.rules)

    def _reached(self, rule: Sanction, applicant: Applicant) -> bool:
        if rule.kinds and applicant.kind not in rule.kinds:
            return False
        name = applicant.applicant_id
        counts = self.own.get(name, (0, 0))
        if rule.of == "owner" and name in self.owners:
            counts = self.joint.get(self.owners[name], (0, 0))
        limits = (rule.no_shows, rule.revocations)
        return any(limit is not None and count >= limit for count, limit in zip(counts, limits, strict=True))
