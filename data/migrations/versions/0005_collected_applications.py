"""Applications as they come in before a season is registered, every version of them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "collected",
        sa.Column("season_id", sa.String(), nullable=False),
        sa.Column("arrival_no", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("applicant_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("amends", sa.Integer(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("rules_hash", sa.LargeBinary(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=True),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("season_id", "arrival_no"),
        sa.UniqueConstraint("season_id", "application_id", "version"),
        sa.UniqueConstraint("season_id", "amends"),
        sa.UniqueConstraint("season_id", "request"),
    )
    op.create_index("ix_collected_applicant", "collected", ["season_id", "applicant_id"])


def downgrade() -> None:
    op.drop_index("ix_collected_applicant", "collected")
    op.drop_table("collected")
