"""The season's rules: what a `season.toml` may say, and how it is read."""

from fairalloc.rules.admission import Admission, ApplicationCap, Documents, Duplicates, Regions, Sanction
from fairalloc.rules.lottery import ChainBlock, DrandRound, Lottery, PublicString
from fairalloc.rules.mechanism import Goal, Mechanism, Step
from fairalloc.rules.model import Campaign, Category, Kind, Period, Priority, PriorityKey, Rules
from fairalloc.rules.offers import Offers
from fairalloc.rules.placing import Cap, FairCap, FairPriority, Minimum, Numbering, Pool, Quota, Spacing, Stalls
from fairalloc.rules.quota_queue import QuotaQueue, counted_category
from fairalloc.rules.reader import parse_rules, read_rules, unknown_fairs

__all__ = [
    "Admission",
    "ApplicationCap",
    "Campaign",
    "Cap",
    "Category",
    "ChainBlock",
    "Documents",
    "DrandRound",
    "Duplicates",
    "FairCap",
    "FairPriority",
    "Goal",
    "Kind",
    "Lottery",
    "Mechanism",
    "Minimum",
    "Numbering",
    "Offers",
    "Period",
    "Pool",
    "Priority",
    "PriorityKey",
    "PublicString",
    "Quota",
    "QuotaQueue",
    "Regions",
    "Rules",
    "Sanction",
    "Spacing",
    "Stalls",
    "Step",
    "counted_category",
    "parse_rules",
    "read_rules",
    "unknown_fairs",
]
