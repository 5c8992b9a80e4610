"""Who takes part: every application is admitted or refused, each refusal for one stated reason.

The rules are asked in a fixed order (time, documents, kind, region, stalls, sanctions, duplicates, caps) and the first
that refuses gives the reason; duplicates and caps look only at applications that nothing before them has refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fairalloc.model import Applicant, ApplicantId, Application, ApplicationId
from fairalloc.numbering import submission_order
from fairalloc.reasons import REASON_STATUS, Reason
from fairalloc.rules import ApplicationCap, Rules
from fairalloc.sanctions import Sanctions
from fairalloc.status import Status


@dataclass(frozen=True, slots=True)
class Screening:
    """The decision on one application, and the id of the rule that refused it (empty where none did)."""

    application_id: ApplicationId
    reason: Reason
    rule_id: str = ""

    @property
    def status(self) -> Status:
        """``ELIGIBLE`` or ``REJECTED``."""
        return REASON_STATUS[self.reason]


NOBODY = Sanctions()
Refusal = tuple[Reason, str]
Check = Callable[[Application, Applicant], Refusal | None]


def screen(
    rules: Rules,
    applications: Sequence[Application],
    applicants: Mapping[ApplicantId, Applicant],
    sanctions: Sanctions = NOBODY,
) -> tuple[Screening, ...]:
    """Decide on every application.

    Args:
        rules: of the season.
        applications: all of them.
        applicants: by id.
        sanctions: by what is known of earlier campaigns.

    Returns:
        one decision per application, in order of arrival.
    """
    checks = tuple(_checks(rules, sanctions))
    decisions = []
    for application in sorted(applications, key=submission_order):
        applicant = applicants[application.applicant_id]
        refusal = next((found for check in checks if (found := check(application, applicant)) is not None), None)
        reason, rule_id = refusal if refusal is not None else (Reason.MEETS_RULES, "")
        decisions.append(Screening(application.application_id, reason, rule_id))
    return tuple(decisions)


def _checks(rules: Rules, sanctions: Sanctions) -> Iterator[Check]:
    """The checks in the order in which they are asked; the last two remember what they have let through."""
    yield _within_campaign(rules)
    if rules.documents is not None:
        yield _documents_complete(rules.documents.id)
    if rules.admissions:
        yield _kind_admitted(rules)
    if rules.regions is not None:
        yield _region_admitted(rules.regions.id, frozenset(rules.regions.admitted))
    if rules.stalls.multiple == "refuse":
        yield _one_stall(rules.stalls.id)
    if sanctions.rules:
        yield _not_sanctioned(sanctions)
    caps = tuple(_Cap(cap) for cap in rules.application_caps)
    yield _Repeats(rules.duplicates.id if rules.duplicates is not None else None, caps)


def _within_campaign(rules: Rules) -> Check:
    campaign = rules.campaign

    def check(application: Application, _: Applicant) -> Refusal | None:
        if application.submitted_at < campaign.opens:
            return Reason.TOO_EARLY, campaign.id
        if application.submitted_at >= campaign.closes:
            return Reason.TOO_LATE, campaign.id
        return None

    return check


def _documents_complete(rule_id: str) -> Check:
    def check(application: Application, _: Applicant) -> Refusal | None:
        return (Reason.DOCUMENTS_MISSING, rule_id) if application.missing_documents else None

    return check


def _kind_admitted(rules: Rules) -> Check:
    admitted = {(kind, category) for rule in rules.admissions for kind in rule.kinds for category in rule.categories}
    rule_id = rules.admissions[0].id

    def check(application: Application, applicant: Applicant) -> Refusal | None:
        if (applicant.kind, application.category) in admitted:
            return None
        own = next((rule.id for rule in rules.admissions if applicant.kind in rule.kinds), rule_id)
        return Reason.KIND_NOT_ADMITTED, own

    return check


def _region_admitted(rule_id: str, admitted: frozenset[str]) -> Check:
    def check(_: Application, applicant: Applicant) -> Refusal | None:
        return None if applicant.region in admitted else (Reason.REGION_NOT_ADMITTED, rule_id)

    return check


def _one_stall(rule_id: str) -> Check:
    def check(application: Application, _: Applicant) -> Refusal | None:
        return (Reason.STALLS_NOT_OFFERED, rule_id) if application.stalls_min > 1 else None

    return check


def _not_sanctioned(sanctions: Sanctions) -> Check:
    def check(_: Application, applicant: Applicant) -> Refusal | None:
        rule = sanctions.refusing(applicant)
        return None if rule is None else (Reason.SANCTIONED, rule.id)

    return check


class _Cap:
    """Counts how many applications of each applicant have been let through, per period or in all."""

    def __init__(self, rule: ApplicationCap) -> None:
        self._rule = rule
        self._taken: Counter[tuple[str, str]] = Counter()

    def key(self, application: Application, applicant: Applicant) -> tuple[str, str] | None:
        if self._rule.kinds and applicant.kind not in self._rule.kinds:
            return None
        return (applicant.applicant_id, application.period if self._rule.per == "period" else "")

    def exceeded(self, application: Application, applicant: Applicant) -> str | None:
        key = self.key(application, applicant)
        return self._rule.id if key is not None and self._taken[key] >= self._rule.max_applications else None

    def take(self, application: Application, applicant: Applicant) -> None:
        key = self.key(application, applicant)
        if key is not None:
            self._taken[key] += 1


class _Repeats:
    """Refuses duplicates, then what goes beyond a cap; an application counts only once every cap has let it through."""

    def __init__(self, duplicates: str | None, caps: tuple[_Cap, ...]) -> None:
        self._duplicates = duplicates
        self._caps = caps
        self._seen: set[tuple[object, ...]] = set()

    def __call__(self, application: Application, applicant: Applicant) -> Refusal | None:
        content = (
            application.applicant_id,
            application.period,
            application.category,
            application.group,
            application.choices,
        )
        if self._duplicates is not None and content in self._seen:
            return Reason.DUPLICATE, self._duplicates
        for cap in self._caps:
            rule_id = cap.exceeded(application, applicant)
            if rule_id is not None:
                return Reason.APPLICATION_CAP, rule_id
        self._seen.add(content)
        for cap in self._caps:
            cap.take(application, applicant)
        return None
