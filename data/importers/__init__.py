"""From a folder of CSV files to a season, all or nothing, every mistake reported with its place."""

from data.importers.handing import Door, HandedFile, read_handed
from data.importers.season import Places, read_places, read_season, requests_left_out

__all__ = ["Door", "HandedFile", "Places", "read_handed", "read_places", "read_season", "requests_left_out"]
