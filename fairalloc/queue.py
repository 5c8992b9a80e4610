"""The queue: the total order of the eligible applications that the rules' priority keys and the lottery give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fairalloc.demotion import Demotion
from fairalloc.lottery import lottery_ticket
from fairalloc.model import Applicant, ApplicantId, Application, ApplicationId
from fairalloc.numbering import submission_order
from fairalloc.rules import Priority, PriorityKey

NEVER = 10**6
"""The first season of an applicant who has none: later than any year."""


def queue_positions(
    priority: Priority,
    eligible: Sequence[Application],
    applicants: Mapping[ApplicantId, Applicant],
    incumbents: frozenset[ApplicantId],
    seed: bytes,
    published_ids: Mapping[ApplicantId, str],
    demotion: Demotion | None = None,
) -> dict[ApplicationId, int]:
    """Queue positions 1..n by application id.

    Ties in the priority keys are broken by the applicants' lottery tickets; applications of one applicant that are
    still level follow their order of arrival. Requests beyond a cap that demotes stand behind all others, and behind
    these all requests of whomever a sanction demotes.
    """
    kind_rank = {kind: index for index, kind in enumerate(priority.kinds)}
    region_rank = {region: index for index, region in enumerate(priority.regions)}
    readers: Mapping[PriorityKey, Callable[[Application, Applicant], int]] = {
        PriorityKey.SUBMITTED_AT: lambda application, _: application.submitted_at,
        PriorityKey.REGISTRATION_NO: lambda application, _: application.registration_no,
        PriorityKey.FIRST_SEASON: lambda _, who: NEVER if who.first_season is None else who.first_season,
        PriorityKey.KIND: lambda _, who: kind_rank.get(who.kind, len(kind_rank)),
        PriorityKey.REGION: lambda _, who: region_rank.get(who.region, len(region_rank)),
        PriorityKey.INCUMBENT: lambda _, who: 0 if who.applicant_id in incumbents else 1,
    }
    keys = [readers[key] for key in priority.keys]
    tickets = {name: lottery_ticket(seed, published) for name, published in published_ids.items()}

    def rank(application: Application) -> tuple[object, ...]:
        applicant = applicants[application.applicant_id]
        return (
            *(read(application, applicant) for read in keys),
            tickets[applicant.applicant_id],
            submission_order(application),
        )

    ordered = sorted(eligible, key=rank)
    told = ordered if demotion is None else demotion.reordered(ordered, applicants)
    return {application.application_id: position for position, application in enumerate(told, start=1)}
