"""All versions of a call that were ever signed, and the chain that a season is published on."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pin",
        sa.Column("season_no", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("genesis_hash", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["season_no"],
            ["season.season_no"],
        ),
        sa.PrimaryKeyConstraint("season_no"),
    )
    op.create_table(
        "signing",
        sa.Column("season_no", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["season_no"],
            ["season.season_no"],
        ),
        sa.PrimaryKeyConstraint("season_no", "seq", "version"),
    )
    # The nonce was not kept; -1 says so, and what is not mined yet is then signed again.
    op.execute(
        "INSERT INTO signing (season_no, seq, version, nonce, raw, tx_hash) "
        "SELECT season_no, seq, 0, -1, raw, tx_hash FROM outbox WHERE raw IS NOT NULL"
    )
    op.execute("UPDATE outbox SET tx_hash = NULL WHERE block_number IS NULL")
    op.drop_column("outbox", "raw")


def downgrade() -> None:
    op.add_column("outbox", sa.Column("raw", sa.LargeBinary(), nullable=True))
    for name in ("raw", "tx_hash"):
        op.execute(
            f"UPDATE outbox SET {name} = (SELECT {name} FROM signing "  # noqa: S608  two names of columns, from above
            "WHERE signing.season_no = outbox.season_no AND signing.seq = outbox.seq ORDER BY version DESC LIMIT 1)"
        )
    op.drop_table("signing")
    op.drop_table("pin")
