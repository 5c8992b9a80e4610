"""The database: SQLite by default, PostgreSQL by URL."""

from data.store.engine import open_store
from data.store.store import SqlStore

__all__ = ["SqlStore", "open_store"]
