"""From a folder of CSV files to a season, all or nothing, every mistake reported with its place."""

from data.importers.season import read_season

__all__ = ["read_season"]
