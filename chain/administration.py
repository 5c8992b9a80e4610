"""The administration replayed: who was administrator, which key had which rights, and when everything was paused.

The contract numbers the administration's calls and moves a head over them as it does for a season. Every call of a
season states how many of them came before it, so that they can be neither left out nor moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from chain import heads
from chain.abi import address_at, count_at, ends_after, flag_at, int_at, word_at
from chain.rights import GRANTABLE, MAY_PAUSE, rights_words
from fairalloc.findings import Finding
from fairalloc.ledger import NOBODY, AdminCall, Administration

_SIGNATURES = {
    "RightsSet": "RightsSet(address,uint256,address,uint256,bytes32)",
    "AdminProposed": "AdminProposed(address,uint256,address,bytes32)",
    "AdminChanged": "AdminChanged(address,uint256,bytes32)",
    "PausedSet": "PausedSet(uint256,address,bool,bytes32)",
}
ADMINISTRATION_EVENTS: Mapping[bytes, str] = {keccak(text.encode()): name for name, text in _SIGNATURES.items()}
"""The names of the administration's events by their first topic."""

RIGHTS_SET = keccak(_SIGNATURES["RightsSet"].encode())
"""The first topic of what sets a key's rights."""


@dataclass(slots=True)
class AdministrationReplay:
    """The state of the administration between two logs; what is wrong goes to ``findings``."""

    chain_id: int
    contract: str
    findings: list[Finding]
    admin: str = NOBODY
    candidate: str = NOBODY
    paused: bool = False
    rights: dict[str, int] = field(default_factory=dict)
    granted: dict[str, int] = field(default_factory=dict)
    next_seq: int = 0
    head: bytes = b""
    calls: list[AdminCall] = field(default_factory=list)
    _stated: bytes = b""
    _missing: int = 0

    def take(self, event: str, topics: Sequence[str], data: bytes, block: int, timestamp: int) -> None:
        """Apply one log."""
        subject = NOBODY if event == "PausedSet" else address_at(bytes.fromhex(topics[1][2:]), 0)
        seq = count_at(data, 0)
        match event:
            case "RightsSet":
                actor, mask, stated = address_at(data, 1), int_at(data, 2), word_at(data, 3)
                ends_after(data, 4)
                self._moves(heads.administration_payload(heads.KIND_GRANT, seq, actor, subject, mask), seq, stated)
                self._by_admin(seq, actor)
                if mask & ~GRANTABLE:
                    self._find("history.right", seq, f"{named(subject)} is given what no key may be given")
                self.rights[subject] = mask
                self.granted[subject] = self.granted.get(subject, 0) | mask
                what = f"gives {named(subject)} {rights_words(mask)}"
            case "AdminProposed":
                actor, stated = address_at(data, 1), word_at(data, 2)
                ends_after(data, 3)
                self._moves(heads.administration_payload(heads.KIND_PROPOSE, seq, actor, subject, 0), seq, stated)
                self._by_admin(seq, actor)
                self.candidate = subject
                what = (
                    "offers the administration to nobody"
                    if subject == NOBODY
                    else (f"offers the administration to {named(subject)}")
                )
            case "AdminChanged":
                actor, stated = subject, word_at(data, 1)
                ends_after(data, 2)
                what = self._changed(seq, actor, stated)
            case _:
                actor, paused, stated = address_at(data, 1), flag_at(data, 2), word_at(data, 3)
                ends_after(data, 4)
                self._moves(heads.administration_payload(heads.KIND_PAUSE, seq, actor, NOBODY, paused), seq, stated)
                if not self.rights.get(actor, 0) & MAY_PAUSE:
                    self._find("history.right", seq, f"{named(actor)} had no right to pause")
                self.paused = paused
                what = "pauses all writing" if paused else "ends the pause"
        self.calls.append(AdminCall(seq, block, timestamp, named(actor), what))

    def watch(self, place: str, admin_calls: int) -> None:
        """Hold what a season's call states of the administration against its logs so far."""
        missing = admin_calls - self.next_seq
        if missing not in (0, self._missing):
            words = (
                f"it was made after {admin_calls} calls of the administration, the logs before it show {self.next_seq}"
            )
            self.findings.append(Finding.of("history.sequence", f"{place}: {words}"))
        self._missing = missing

    def result(self) -> Administration:
        """Where the administration stands after the last log."""
        return Administration(
            admin=self.admin,
            candidate=self.candidate,
            paused=self.paused,
            rights=dict(self.rights),
            granted=dict(self.granted),
            next_seq=self.next_seq,
            head=self.head,
            calls=tuple(self.calls),
        )

    def _changed(self, seq: int, actor: str, stated: bytes) -> str:
        if not self.next_seq:
            self.head, self._stated, self.next_seq = (
                heads.deployment_head(self.chain_id, self.contract, actor),
                stated,
                1,
            )
            if seq or self.head != stated:
                self._find("history.head", seq, "the head stated is not that of this chain, contract and administrator")
            self.admin = actor
            return "deploys the contract and is its administrator"
        self._moves(heads.administration_payload(heads.KIND_ACCEPT, seq, actor, actor, 0), seq, stated)
        if actor != self.candidate:
            self._find("history.right", seq, f"{named(actor)} becomes administrator without having been proposed")
        self.admin, self.candidate = actor, NOBODY
        return "accepts the administration"

    def _moves(self, payload: bytes, seq: int, stated: bytes) -> None:
        """Check a call's place in the sequence and move the head."""
        if seq != self.next_seq:
            after = f"follows call {self.next_seq - 1}" if self.next_seq else "comes first"
            self._find("history.sequence", seq, f"it {after}: calls are missing or out of order")
        self.next_seq = seq + 1
        self.head = heads.next_head(self.head, payload)
        if self.head != stated and heads.next_head(self._stated, payload) != stated:
            self._find("history.head", seq, "the head recomputed from the payloads is not the one stated")
        self._stated = stated

    def _by_admin(self, seq: int, actor: str) -> None:
        if actor != self.admin:
            self._find("history.right", seq, f"{named(actor)} was not the administrator")

    def _find(self, code: str, seq: int, words: str) -> None:
        self.findings.append(Finding.of(code, f"call {seq} of the administration: {words}"))


def named(address: str) -> str:
    """An address as people compare it."""
    return str(to_checksum_address(address))
