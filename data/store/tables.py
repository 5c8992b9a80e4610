"""The tables. Every row of a season carries the season's number; values were validated before they came here."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel


class SeasonTable(SQLModel, table=True):
    """A season and how far it has come."""

    __tablename__ = "season"
    season_no: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    season_id: str = Field(unique=True)
    stage: str
    rules_text: str = Field(sa_column=Column(Text, nullable=False))
    source_digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class FairTable(SQLModel, table=True):
    """See :class:`fairalloc.model.Fair`."""

    __tablename__ = "fair"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    fair_id: str = Field(primary_key=True)
    name: str
    district: str
    area: str
    latitude: float | None
    longitude: float | None


class SiteTable(SQLModel, table=True):
    """See :class:`fairalloc.model.Site`; sets are joined by ``|``, sorted."""

    __tablename__ = "site"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    site_id: str = Field(primary_key=True)
    fair_id: str
    period: str
    row: str
    position: int
    number: str
    categories: str
    features: str
    pool: str
    closed: bool


class ApplicantTable(SQLModel, table=True):
    """See :class:`fairalloc.model.Applicant`."""

    __tablename__ = "applicant"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    applicant_id: str = Field(primary_key=True)
    kind: str
    region: str
    owner_id: str
    first_season: int | None


class ApplicationTable(SQLModel, table=True):
    """See :class:`fairalloc.model.Application`; ``application_no`` and ``commitment`` are public."""

    __tablename__ = "application"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    application_no: int = Field(primary_key=True)
    application_id: str
    applicant_id: str
    period: str
    category: str
    product_group: str
    stalls_min: int
    stalls_max: int
    needs: str
    choices: str = Field(sa_column=Column(Text, nullable=False))
    submitted_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    registration_no: int = Field(sa_column=Column(BigInteger, nullable=False))
    missing_documents: str
    commitment: bytes = Field(sa_column=Column(LargeBinary, nullable=False))

    __table_args__ = (UniqueConstraint("season_no", "application_id"),)


class SaltTable(SQLModel, table=True):
    """The secret half of a commitment, apart from everything else: deleting the row erases the link to the person."""

    __tablename__ = "salt"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    application_no: int = Field(primary_key=True)
    salt: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class IncumbentTable(SQLModel, table=True):
    """See :class:`fairalloc.model.Incumbent`."""

    __tablename__ = "incumbent"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    site_id: str = Field(primary_key=True)
    applicant_id: str = Field(primary_key=True)


class PreallocationTable(SQLModel, table=True):
    """See :class:`fairalloc.model.Preallocation`; no application: the site is kept free."""

    __tablename__ = "preallocation"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    site_id: str = Field(primary_key=True)
    application_id: str | None
    reason: str
    actor: str


class EarlierTable(SQLModel, table=True):
    """See :class:`fairalloc.model.Earlier`."""

    __tablename__ = "earlier"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    applicant_id: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    fair_id: str = Field(primary_key=True)
    category: str = Field(primary_key=True)
    stalls: int


class ConductTable(SQLModel, table=True):
    """See :class:`fairalloc.model.Conduct`."""

    __tablename__ = "conduct"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    applicant_id: str = Field(primary_key=True)
    attended: int
    no_shows: int
    revocations: int


class SameTable(SQLModel, table=True):
    """See :class:`fairalloc.model.Same`."""

    __tablename__ = "same"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    applicant_id: str = Field(primary_key=True)
    campaign: str = Field(primary_key=True)
    published_id: str


class FollowedTable(SQLModel, table=True):
    """See :class:`fairalloc.model.Followed`."""

    __tablename__ = "followed"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    campaign: str = Field(primary_key=True)
    calls: int


class StandingTable(SQLModel, table=True):
    """Where an application stands now; a site has one holder at most."""

    __tablename__ = "standing"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    application_no: int = Field(primary_key=True)
    status: int
    reason: int
    site_no: int | None
    width: int

    __table_args__ = (UniqueConstraint("season_no", "site_no"),)


class TransitionTable(SQLModel, table=True):
    """Every transition of every application, by the call that carries it to the chain."""

    __tablename__ = "transition"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    application_no: int = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    status: int
    reason: int
    site_no: int
    width: int


class OutboxTable(SQLModel, table=True):
    """Calls on their way to the chain; of what is mined, which transaction and where."""

    __tablename__ = "outbox"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    seq: int = Field(primary_key=True)
    call: str = Field(sa_column=Column(Text, nullable=False))
    tx_hash: bytes | None = Field(sa_column=Column(LargeBinary))
    block_number: int | None
    block_hash: bytes | None = Field(sa_column=Column(LargeBinary))
    gas_used: int | None


class SigningTable(SQLModel, table=True):
    """Every version of a call that was ever signed, byte for byte, the oldest first."""

    __tablename__ = "signing"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    seq: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    nonce: int = Field(sa_column=Column(BigInteger, nullable=False))
    raw: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    tx_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class PinTable(SQLModel, table=True):
    """On which chain and contract a season is published; it is published on no other."""

    __tablename__ = "pin"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    chain_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    genesis_hash: str
    contract: str
    code_hash: str


class DocumentTable(SQLModel, table=True):
    """Files that a stage left, byte for byte as they are published."""

    __tablename__ = "document"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    name: str = Field(primary_key=True)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ActTable(SQLModel, table=True):
    """Acts after the allocation: each statement byte for byte as it is published."""

    __tablename__ = "act"
    season_no: int = Field(primary_key=True, foreign_key="season.season_no")
    number: int = Field(primary_key=True)
    statement: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class CollectedTable(SQLModel, table=True):
    """See :class:`fairalloc.collection.Collected`. Its season is known by its id: it is not registered yet."""

    __tablename__ = "collected"
    season_id: str = Field(primary_key=True)
    arrival_no: int = Field(primary_key=True)
    application_id: str
    applicant_id: str
    version: int
    amends: int | None
    received_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    source: str
    record: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    salt: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    commitment: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    rules_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    request: bytes | None = Field(sa_column=Column(LargeBinary))
    seal: bytes = Field(sa_column=Column(LargeBinary, nullable=False))

    __table_args__ = (
        UniqueConstraint("season_id", "application_id", "version"),
        UniqueConstraint("season_id", "amends"),
        UniqueConstraint("season_id", "request"),
        Index("ix_collected_applicant", "season_id", "applicant_id"),
    )
