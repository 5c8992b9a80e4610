"""What happens after the allocation, act by act."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "act",
        sa.Column("season_no", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["season_no"],
            ["season.season_no"],
        ),
        sa.PrimaryKeyConstraint("season_no", "number"),
    )


def downgrade() -> None:
    op.drop_table("act")
