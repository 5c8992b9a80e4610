"""Decisions made before the allocation, and what earlier campaigns gave."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "preallocation",
        sa.Column("season_no", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["season_no"],
            ["season.season_no"],
        ),
        sa.PrimaryKeyConstraint("season_no", "site_id"),
    )
    op.create_table(
        "earlier",
        sa.Column("season_no", sa.Integer(), nullable=False),
        sa.Column("applicant_id", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("fair_id", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("stalls", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["season_no"],
            ["season.season_no"],
        ),
        sa.PrimaryKeyConstraint("season_no", "applicant_id", "period", "fair_id", "category"),
    )


def downgrade() -> None:
    op.drop_table("earlier")
    op.drop_table("preallocation")
