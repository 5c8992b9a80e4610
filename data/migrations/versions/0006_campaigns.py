"""What earlier campaigns of a season know of applicants, who they were there, and which campaigns these are."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "conduct",
        sa.Column("season_no", sa.Integer(), nullable=False),
        sa.Column("applicant_id", sa.String(), nullable=False),
        sa.Column("attended", sa.Integer(), nullable=False),
        sa.Column("no_shows", sa.Integer(), nullable=False),
        sa.Column("revocations", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["season_no"],
            ["season.season_no"],
        ),
        sa.PrimaryKeyConstraint("season_no", "applicant_id"),
    )
    op.create_table(
        "same",
        sa.Column("season_no", sa.Integer(), nullable=False),
        sa.Column("applicant_id", sa.String(), nullable=False),
        sa.Column("campaign", sa.String(), nullable=False),
        sa.Column("published_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["season_no"],
            ["season.season_no"],
        ),
        sa.PrimaryKeyConstraint("season_no", "applicant_id", "campaign"),
    )
    op.create_table(
        "followed",
        sa.Column("season_no", sa.Integer(), nullable=False),
        sa.Column("campaign", sa.String(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["season_no"],
            ["season.season_no"],
        ),
        sa.PrimaryKeyConstraint("season_no", "campaign"),
    )


def downgrade() -> None:
    for table in ("followed", "same", "conduct"):
        op.drop_table(table)
