"""Alembic's entry: migrations run on the connection that the store hands in, inside its transaction."""

from alembic import context
from sqlmodel import SQLModel

import data.store.tables  # noqa: F401  fills the metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata)
context.run_migrations()
