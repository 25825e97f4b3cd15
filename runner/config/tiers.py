"""Which controls a tier or a tag selects."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import yaml

from clients.model.errors import SettingsError
from runner.config.catalogue import Catalogue, Control
from runner.config.gate_settings import Tier
from runner.config.settings import ROOT

FILE = ROOT / "suites" / "tiers.yaml"


def of_tier(tier: Tier, catalogue: Catalogue, file: Path = FILE) -> frozenset[str]:
    """Ids of the controls of a tier and of those before it.

    Raises:
        SettingsError: the file of the tiers cannot be read.
    """
    if tier is Tier.FULL:
        return frozenset(catalogue.controls)
    named = _load(file)
    patterns = [pattern for one in Tier for pattern in named.get(one, ()) if list(Tier).index(one) <= _place(tier)]
    return frozenset(name for name in catalogue.controls if any(fnmatchcase(name, one) for one in patterns))


def tags_of(control: Control) -> frozenset[str]:
    """Its polarity, the capabilities that it needs, the first word of its id in lower case, and tags of its own."""
    own = {"live-only"} if control.live_only else set()
    own |= {"advisory"} if control.advisory else set()
    return frozenset({control.polarity, control.id.partition("-")[0].lower()} | control.needs | control.tags | own)


def with_tags(wanted: Iterable[str], left_out: Iterable[str], catalogue: Catalogue) -> frozenset[str]:
    """Ids of the controls that have one of the wanted tags (any, where none is named), and none of the others.

    Raises:
        SettingsError: no control has such a tag; the hint names the nearest.
    """
    by_control = {name: tags_of(control) for name, control in catalogue.controls.items()}
    known = frozenset[str]().union(*by_control.values())
    taken, refused = (frozenset(_known(names, known)) for names in (wanted, left_out))
    return frozenset(name for name, tags in by_control.items() if (not taken or tags & taken) and not tags & refused)


def _known(names: Iterable[str], known: frozenset[str]) -> Iterable[str]:
    for name in (part.strip() for named in names for part in named.split(",") if part.strip()):
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
            raise SettingsError(f"no control has the tag {name}", hint)
        yield name


def _place(tier: Tier) -> int:
    return list(Tier).index(tier)


@cache
def _load(file: Path) -> Mapping[str, list[str]]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"the tiers {file} cannot be read: {error}") from None
    if not isinstance(found, dict) or set(found) != {Tier.SMOKE, Tier.CORE}:
        raise SettingsError(f"the tiers {file} are no mapping of smoke and core to lists of controls")
    return {str(tier): [str(one) for one in names] for tier, names in found.items()}
