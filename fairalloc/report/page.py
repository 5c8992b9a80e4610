"""Placeholder while the page is written."""

from collections.abc import Mapping
from typing import Any


def render_report(files: Mapping[str, bytes], run: Mapping[str, Any] | None) -> str:
    """Nothing yet."""
    return ""
