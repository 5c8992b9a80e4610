"""What a check found wrong: a code that names the sort of thing, the place, and the words with both values.

The codes are stable: scripts, monitors and the tests of every known attack go by them. `docs/audit.md` lists them with
what each means, generated from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "bundle.manifest": "a published file was changed, lost or added after the manifest was written",
        "bundle.unreadable": "a published file cannot be read as what it should be",
        "bundle.rules": "the published rules contradict themselves or cannot be read",
        "bundle.numbering": "public numbers do not follow the order of arrival, or of the stalls in their rows",
        "bundle.screening": "an application was admitted or refused against the published rules of admission",
        "bundle.queue": "a queue position is not the one that priority keys and lottery give",
        "bundle.statement": "a statement whose digest stands on chain does not follow from the published files",
        "allocation.refuted": "the allocation breaks a published rule",
        "certificate.refuted": "the certificate does not prove that nothing better was possible",
        "chain.identity": "the chain or contract is not the one that the bundle names, or its history ends elsewhere",
        "chain.code": "the contract's code is not that of the published source: its rules are unknown",
        "history.unreadable": "a log of the contract is not one that the published contract writes",
        "history.sequence": "calls are missing, repeated or out of order",
        "history.head": "a head is not the one that its call leads to: a call was altered, left out or put in",
        "history.transition": "a status was changed in a way that the legality table does not have",
        "history.application": "an application was never submitted, or stands under a number that is not the next",
        "history.undecided": "something was decided before the inputs were fixed on chain",
        "history.site": "a site was given to two applications at once, or given where there is none",
        "heads.broken": "the published heads do not lead to the last one: a call was altered, left out or put in",
        "heads.chain": "a published head is not the one of the chain's call: the bundle tells another history",
        "register.file": "published applications and published commitments are not the same, one by one",
        "register.left-out": "an application stands on chain and is not published: it was left out after registering",
        "register.put-in": "an application is published that was never registered on chain: it was put in afterwards",
        "register.commitment": "a published commitment is not the one on chain: another record was put in its place",
        "register.count": "the register's root was fixed on chain not at all or more than once",
        "register.root": "the register's root on chain is not that of the applications registered there, or published",
        "register.late": "the register was fixed before all were registered, or after something had been decided",
        "collected.order": "a version that was collected is missing, out of order, or amends none that came before",
        "collected.version": "the version that counts is not the last one received in time, or not the registered one",
        "collected.count": "the root of what was collected was fixed on chain not at all or more than once",
        "collected.root": "what was collected is not what the chain fixed: a version was dropped, put in or altered",
        "collected.late": "the root of what was collected was fixed only after something had been decided",
        "history.right": "a key did what it had no right to at that moment",
        "history.stopped": "something was written while everything was paused, or to a season that was closed",
        "state.unreadable": "the contract does not tell its state: it is another contract, or none",
        "state.head": "the contract's sequence, head or flags are not those that its logs lead to",
        "state.status": "an application's status or sites in the contract are not those that its logs lead to",
        "state.site": "a site is taken in the contract and free by its logs, or the other way round",
        "state.rights": "the administrator, a key's rights or the pause in the contract are not those of its logs",
        "commit.rules": "the rules on chain since the season's opening are not the published ones: a rule was changed",
        "commit.count": "a statement was fixed on chain not at all or more than once",
        "commit.digest": "a statement on chain is not the published one: it was rewritten afterwards",
        "commit.late": "a statement was fixed on chain only after something had been decided on it",
        "lottery.freeze": "a freeze names no value of the rules' beacon or one named before, or gives no reason",
        "lottery.undrawn": "the freeze that counts was never drawn",
        "lottery.twice": "the lottery was drawn more than once for one freeze",
        "lottery.signature": "the drawn value is not signed by the network that the rules name",
        "lottery.seed": "value or seed of a draw are not those that its freeze leads to",
        "lottery.order": "a draw was recorded before its freeze, or when a later freeze counted already",
        "lottery.foreseen": "the drawn value could be known before the inputs were fixed",
        "lottery.early": "the draw was recorded before its value was due: somebody knew it early",
        "chain.count": "bundle and chain have different numbers of applications or sites",
        "chain.status": "an application's published status, reason or site is not the one on chain",
        "database.status": "an application's status, reason or site in the database is not the one on chain",
        "database.commitment": "a record in the database is not the one that was registered: it was altered",
        "database.same": "a published link to an earlier campaign is not that of the database: it names somebody else",
        "campaign.bundle": "the bundle of an earlier campaign is missing, altered, or of another campaign",
        "campaign.same": "the link between campaigns leaves somebody out, or names one applicant twice",
        "campaign.earlier": "stalls that earlier campaigns gave are not those with which they ended",
        "campaign.conduct": "no-shows, revocations or attendances are not those with which earlier campaigns ended",
        "campaign.sites": "a stall that somebody holds in an earlier campaign is given out again",
        "receipt.commitment": "the receipt's record and salt do not give the commitment: one of them was altered",
        "receipt.signature": "the acknowledgement says something else than the registrar's key has signed",
        "receipt.dropped": "what was acknowledged is not published so: it was dropped or altered after its acceptance",
        "receipt.rules": "the application was accepted under other rules than decided on it: they were changed since",
        "receipt.inclusion": "the commitment does not stand in the register under the receipt's number",
        "receipt.head": "the register's root is not what moved the head, or moved it to another than was published",
        "receipt.chain": "chain, contract, call, block or time are not those that bundle or node have",
        "receipt.altered-row": "the published application is not the one that was handed in: the city altered it",
        "receipt.unknown": "bundle or node do not know this receipt, or nothing was named to hold it against",
        "time.backdated": "an application stands on chain before the moment at which it is said to have come in",
        "time.early": "inputs were fixed before the campaign had closed: what came in later was left out",
        "time.late": "the outcome was recorded on chain after the published deadline",
        "follow.block": "a block of the followed chain does not execute to the hash that it is said to have",
        "follow.genesis": "the followed chain begins otherwise than the copy: it is another chain",
        "follow.rewritten": "the followed chain has other blocks where the copy has executed some: it was rewritten",
        "follow.truncated": "the followed chain ends before blocks that the copy has executed: it was cut short",
        "monitor.chain": "the node's chain is not the one that was watched: another chain id or genesis",
        "monitor.code": "the code at the contract's address is not that of the published source",
        "monitor.rewritten": "what had been verified is something else now: the chain's history was rewritten",
        "monitor.truncated": "what had been verified is not there any more: the chain's history was cut short",
        "monitor.split-view": "two nodes or monitors have different heads for one call: the chain shows two faces",
        "monitor.late": "the published deadline has passed and the outcome is not on chain",
        "monitor.administration": "the contract's administrator has used its powers (told, no fault)",
        "monitor.reorg": "blocks that were not final yet were replaced (told, no fault)",
        "monitor.behind": "another monitor has seen more calls than the nodes watched here show (told, no fault)",
        "monitor.other": "another monitor's heads are of another contract (told, no fault)",
        "act.statement": "a published act is not in its canonical form, or not in its place",
        "act.clock": "an act is dated before the one ahead of it",
        "act.approval": "a decision that needs a second person's approval has none",
        "act.illegal": "an act does what the status machine does not allow, or gives a site that is held",
        "act.deadline": "an answer, a report or what time brings is not when the rules have it: too early or too late",
        "act.kind": "an act does what acts of its kind never do: something is hidden under another name",
        "act.reason": "a decision, an appeal or a correction gives no reason",
        "act.evidence": "an appeal, the decision on one or a move to better choices tells what is not so",
        "act.effect": "a decision leads elsewhere than it has to: to another site than the rules give, or to more",
        "act.unsuitable": "an override puts an application on a site that the rules do not admit it to",
        "act.price": "an override tells another price than it had: who lost what, and who was passed over",
        "act.standings": "the published standings are not what the outcome and the acts lead to",
        "act.missing": "acts are published that are not on chain, or the other way round",
        "act.digest": "a published act is not the one that was committed to: it was changed afterwards",
        "act.transitions": "the chain has other transitions after an act's digest than the act names",
        "round.files": "the published outcome or proof of a round is not the one it was held with",
        "round.time": "a round of the waiting list was held after its fairs had opened",
        "round.order": "a round that the rules call for goes by another order than the rules have",
        "round.queue": "the queue of a round is not the one that the rules and the drawn lottery give",
        "round.refuted": "a round breaks a rule, or its proof does not hold",
        "round.transitions": "a round's act gives other sites than its published outcome",
        "round.missing": "a waiting list ended and a round that the rules call for was not held",
        "close.unfinished": "the season was closed while something was still to be decided, or a period was not over",
        "close.after": "an act follows the one that closed the season",
        "close.stated": "the published acts and the chain do not agree on whether the season is closed",
        "time.order": "the chain's blocks are not in the order of time",
    }
)
"""Every code and what it means to whoever reads it."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing found wrong.

    Attributes:
        code: a key of :data:`MEANINGS`.
        place: file, call, block, application or site; empty where it is the whole.
        words: one sentence with both values, the place included.
    """

    code: str
    place: str
    words: str

    @classmethod
    def of(cls, code: str, words: str) -> Finding:
        """A finding whose words begin with its place and a colon, or have none."""
        place, colon, _ = words.partition(": ")
        return cls(code, place if colon else "", words)

    @property
    def meaning(self) -> str:
        """What it means to whoever reads it."""
        return MEANINGS[self.code]

    def __str__(self) -> str:
        return self.words


def coded(code: str, sentences: Iterable[str]) -> list[Finding]:
    """Sentences as findings of one sort."""
    return [Finding.of(code, words) for words in sentences]
