"""The rule of the lottery: which beacon value breaks ties, named before anybody can know it.

Three beacons: a round of drand, which signs it and proves it; a block of another chain; a public string, as the numbers
of a state lottery. A public string may stand in the rules; who can still change an input then can foresee the draw.
"""

from __future__ import annotations

import re
import unicodedata
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from fairalloc.drand import NETWORKS, Network, Scheme, is_key
from fairalloc.instants import format_seconds
from fairalloc.rules.base import Name, Rule

Words = Annotated[str, StringConstraints(min_length=1)]
Number = Annotated[int, Field(ge=1, lt=2**53)]
Hex = Annotated[str, StringConstraints(pattern="^([0-9a-f]{2})+$")]


class _Beacon(Rule):
    """What every beacon can tell. ``NAMES`` is the field by which one of its values is named."""

    NAMES: ClassVar[str]

    @property
    def name(self) -> str:
        """By what the value is told from others of the beacon."""
        return str(getattr(self, self.NAMES))

    @property
    def known(self) -> str | None:
        """The value, where the rules tell it beforehand."""
        return None

    @property
    def time(self) -> int | None:
        """When the value comes, in seconds since 1970, where that follows from its name."""
        return None

    @property
    @abstractmethod
    def words(self) -> str:
        """What is drawn, in words."""

    @abstractmethod
    def statement(self) -> dict[str, Any]:
        """What the statement of the freeze says of it."""

    def again(self, named: str) -> Self:
        """The same beacon with another value named instead: the round, the block, or the source of the string.

        Raises:
            ValueError: when it is no such name.
        """
        return type(self).model_validate({**self.model_dump(), self.NAMES: named})

    def named_by(self, statement: Mapping[str, Any]) -> Self:
        """This beacon with the value that a freeze's statement names.

        Raises:
            ValueError: when the statement names no value of this beacon.
        """
        if statement == self.statement():
            return self
        found = self.again(str(statement.get(self.NAMES)))
        if found.statement() != statement:
            raise ValueError(f"not a value of the rules' beacon, {self.words}")
        return found


class PublicString(_Beacon):
    """A public string and where it comes from; without ``value`` it is told after the freeze."""

    NAMES: ClassVar[str] = "source"

    beacon: Literal["public"] = "public"
    source: Words
    value: Words | None = None

    @property
    def known(self) -> str | None:
        """See :class:`_Beacon`."""
        return self.value

    @property
    def words(self) -> str:
        """See :class:`_Beacon`."""
        return f"the public string {self.source!r}"

    def statement(self) -> dict[str, Any]:
        """See :class:`_Beacon`."""
        if self.value is None:
            return {"beacon": self.beacon, "source": self.source}
        return {"source": self.source, "value": self.value}

    def again(self, named: str) -> Self:
        """See :class:`_Beacon`."""
        return type(self).model_validate({**self.model_dump(), "source": named, "value": None})

    def canonical(self, text: str) -> str:
        """The one form of a value told by hand, so that nobody can choose among ways of writing it: words in small
        letters and numbers without leading zeros, with one blank between them.

        Raises:
            ValueError: when nothing is left of it.
        """
        found = re.findall(r"[^\W\d_]+|\d+", unicodedata.normalize("NFKC", text).casefold())
        if not found:
            raise ValueError("it has neither letters nor digits")
        return " ".join(part.lstrip("0") or "0" for part in found)


class DrandRound(_Beacon):
    """A round of a drand network. A network that the program does not know is described in full."""

    NAMES: ClassVar[str] = "round"

    beacon: Literal["drand"]
    network: Name = "quicknet"
    round: Number
    scheme: Scheme | None = None
    public_key: Hex | None = None
    genesis_time: Annotated[int, Field(ge=0, lt=2**33)] | None = None
    period: Annotated[int, Field(ge=1, le=86_400)] | None = None

    @model_validator(mode="after")
    def _network_is_described_once(self) -> Self:
        told = (self.scheme, self.public_key, self.genesis_time, self.period)
        if self.network in NETWORKS and any(part is not None for part in told):
            raise ValueError(f"the network {self.network!r} is known: leave out scheme, public_key and times")
        if self.network not in NETWORKS and not is_key(self.signer):
            raise ValueError("the public_key is none that its scheme can have")
        return self

    @property
    def signer(self) -> Network:
        """The network with its key.

        Raises:
            ValueError: when the program does not know the network, and the rules do not describe it in full.
        """
        if self.network in NETWORKS:
            return NETWORKS[self.network]
        if self.scheme is None or self.public_key is None or self.genesis_time is None or self.period is None:
            raise ValueError(
                f"the network {self.network!r} is not among {', '.join(NETWORKS)}:"
                " give its scheme, public_key, genesis_time and period"
            )
        return Network(self.network, self.scheme, bytes.fromhex(self.public_key), self.genesis_time, self.period)

    @property
    def time(self) -> int:
        """See :class:`_Beacon`."""
        return self.signer.time_of(self.round)

    @property
    def words(self) -> str:
        """See :class:`_Beacon`."""
        return f"round {self.round} of drand's network {self.network} (at {format_seconds(self.time)})"

    def statement(self) -> dict[str, Any]:
        """See :class:`_Beacon`."""
        return {"beacon": self.beacon, "network": self.network, "round": self.round}


class ChainBlock(_Beacon):
    """The hash of a block of another chain, told by hand."""

    NAMES: ClassVar[str] = "block"

    beacon: Literal["block"]
    chain: Words
    block: Number

    @property
    def words(self) -> str:
        """See :class:`_Beacon`."""
        return f"the hash of block {self.block} of {self.chain}"

    def statement(self) -> dict[str, Any]:
        """See :class:`_Beacon`."""
        return {"beacon": self.beacon, "chain": self.chain, "block": self.block}

    def canonical(self, text: str) -> str:
        """The one form of a hash told by hand: 64 small hex digits after 0x.

        Raises:
            ValueError: when it is no such hash.
        """
        found = re.fullmatch(r"(?:0x)?([0-9a-f]{64})", text.strip().lower())
        if found is None:
            raise ValueError("a block's hash has 64 hex digits")
        return f"0x{found.group(1)}"


def _which(told: Any) -> str:
    """The beacon that a table names; a table without is a public string, as all were once."""
    named = told.get("beacon", "public") if isinstance(told, Mapping) else getattr(told, "beacon", "public")
    return str(named)


BEACONS = ("public", "drand", "block")
Lottery = Annotated[
    Annotated[PublicString, Tag("public")] | Annotated[DrandRound, Tag("drand")] | Annotated[ChainBlock, Tag("block")],
    Discriminator(
        _which,
        custom_error_type="beacon",
        custom_error_message='there is no such beacon: write beacon = "drand", "block" or "public"',
    ),
]
