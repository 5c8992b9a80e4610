"""A season as the services work with it: record, rules, input and public numbers, loaded once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fairalloc.bundle.files import input_files
from fairalloc.errors import StateConflictError
from fairalloc.model import Application, SeasonInput, Site
from fairalloc.numbering import PublicNumbers, parse_application_label, public_numbers
from fairalloc.ports import SeasonRecord, Stage, Store
from fairalloc.rules import Rules, parse_rules

STAGES = tuple(Stage)


@dataclass(frozen=True, slots=True)
class SeasonContext:
    """Everything about a season that does not change once it is imported, and its stage."""

    record: SeasonRecord
    rules: Rules
    season: SeasonInput
    numbers: PublicNumbers
    inputs: dict[str, bytes]

    @classmethod
    def of(cls, record: SeasonRecord, rules: Rules, season: SeasonInput) -> SeasonContext:
        """The context of a season that is at hand."""
        numbers = public_numbers(season, [period.id for period in rules.periods])
        return cls(record, rules, season, numbers, input_files(record.rules_text, season, numbers))

    @classmethod
    def load(cls, store: Store, record: SeasonRecord) -> SeasonContext:
        """The context of a stored season."""
        return cls.of(record, parse_rules(record.rules_text), store.load_input(record.season_no))

    def reached(self, stage: Stage) -> bool:
        """Whether the season has come at least as far as the stage."""
        return STAGES.index(self.record.stage) >= STAGES.index(stage)

    def at(self, stage: Stage) -> SeasonContext:
        """The same season at a stage."""
        return replace(self, record=replace(self.record, stage=stage))

    def require(self, stage: Stage) -> None:
        """Refuse to go on unless the season is exactly at a stage.

        Raises:
            StateConflictError: when it is not.
        """
        if self.record.stage != stage:
            raise StateConflictError(
                "season.stage",
                f"season {self.record.season_id} is {self.record.stage}, this step needs it {stage}",
                "`fairalloc allocate` takes a season on from wherever it stands",
            )

    def sites_by_number(self) -> dict[int, Site]:
        """Sites by their public numbers."""
        return {self.numbers.sites[site.site_id]: site for site in self.season.sites}

    def application(self, number: int) -> Application:
        """The application with that public number."""
        wanted = next(name for name, no in self.numbers.applications.items() if no == number)
        return next(a for a in self.season.applications if a.application_id == wanted)


def find_season(store: Store, season_id: str | None) -> SeasonRecord:
    """The season of that id; without an id, the latest.

    Raises:
        StateConflictError: when there is none.
    """
    if season_id is not None:
        record = store.find_season(season_id)
        if record is None:
            known = ", ".join(record.season_id for record in store.seasons()) or "none"
            raise StateConflictError(
                "season.unknown", f"there is no season {season_id!r} (known: {known})", "import it"
            )
        return record
    records = store.seasons()
    if not records:
        raise StateConflictError("season.none", "no season has been imported yet", "start with `fairalloc run`")
    return records[-1]


def find_application(context: SeasonContext, text: str) -> int:
    """The public number of an application named by the city's id or by its published one.

    Raises:
        StateConflictError: when the season has no such application.
    """
    from_city = {str(name): number for name, number in context.numbers.applications.items()}
    number = from_city.get(text) or parse_application_label(text)
    if number is None or not 1 <= number <= len(from_city):
        raise StateConflictError(
            "application.unknown",
            f"season {context.record.season_id} has no application {text!r}",
            "give the id from the receipt, e.g. A000001, or the city's own; name another season with --season",
        )
    return number
