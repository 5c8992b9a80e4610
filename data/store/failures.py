"""What a database refuses or fails at, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, IntegrityError

from fairalloc.errors import FairallocError, StateConflictError


@contextmanager
def words() -> Iterator[None]:
    """Database errors as something a user can act on."""
    try:
        yield
    except IntegrityError as error:
        raise StateConflictError(
            "store.conflict", f"the database refuses the change: {error.orig}", "start the command again"
        ) from None
    except DatabaseError as error:
        raise FairallocError(
            "store.unavailable", f"the database cannot be used: {error.orig}", "check the disk and --db, then try again"
        ) from None
