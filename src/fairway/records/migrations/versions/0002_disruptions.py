"""How many attempts of a task were ended from outside."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("disruptions", sa.Integer(), server_default="0", nullable=False))
