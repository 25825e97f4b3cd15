"""The plan of a run: which tests prove which controls. A test carries its case; only the plan travels, as JSON.

item.stash[PROVES] → case runner → evidence        (in the process that proves)
PlannedTest, plain → controlling process, `meshproof plan`
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from clients.mesh.capabilities.capabilities import CapabilityName
from clients.model import settling
from clients.model.case import Case
from clients.model.errors import SettingsError
from clients.model.evidence import Subject
from clients.model.probe import Probe
from clients.model.refused import RefusedManifest
from clients.model.stage import Stage
from clients.proof.table import Table
from runner.config.catalogue import Catalogue, Control
from runner.config.settings import ROOT
from runner.session.items import (
    case_of,
    cases_stated,
    control_name,
    is_independent,
    module_of,
    needs_of,
    placement_of,
    refused_of,
    stage_of,
    table_of,
)
from runner.session.needs.mutual_tls_needs import mutual_tls_needs
from runner.session.needs.plaintext_needs import plaintext_needs
from runner.session.needs.token_needs import token_needs
from runner.session.planned import PROVES, PlannedTest, Proves
from runner.session.planning import mistakes, unproven

MANIFESTS = ROOT / "manifests"


def plan(items: Iterable[pytest.Item], catalogue: Catalogue) -> dict[str, PlannedTest]:
    """By node id, the tests that prove a control; each item gets what it proves.

    Raises:
        SettingsError: a control is not in the catalogue, two tests claim one case id, nothing would show that the
            change of a stage has arrived, or an author made another mistake (`runner.session.planning.mistakes`).
    """
    items = list(items)
    found: dict[str, PlannedTest] = {}
    claimed: dict[str, str] = {}
    checked: dict[int, Stage] = {}
    for item in items:
        name = control_name(item)
        if wrong := unproven.problem_of(item, proves=bool(name)):
            raise SettingsError(f"{item.nodeid}: {wrong[0]}", wrong[1])
        if not name:
            continue
        try:
            control = catalogue.control(name)
        except SettingsError as error:
            raise SettingsError(f"{item.nodeid}: {error.message}", error.hint) from None
        _check(item, checked)
        proves = item.stash[PROVES] = proven_by(item, control)
        entry = proves.planned
        mistakes.check_substitutes(
            item.nodeid, proves.cases, _stated_needs(item, proves), in_table=proves.table is not None
        )
        mistakes.check_needs(item.nodeid, entry.needs)
        if entry.id in claimed:
            raise SettingsError(f"{entry.nodeid} and {claimed[entry.id]} both prove {entry.id}", "give one a variant")
        claimed[entry.id] = entry.nodeid
        found[item.nodeid] = entry
    by_module: dict[object, list[Case]] = {}
    for item in items:
        if PROVES in item.stash:
            by_module.setdefault(module_of(item), []).extend(item.stash[PROVES].cases)
    for module, selected in by_module.items():
        _check_settling(module, selected)
    return found


def _check(item: pytest.Item, checked: dict[int, Stage]) -> None:
    """Check what a test states; its stage once for all tests of the module."""
    stage, table = stage_of(item), table_of(item)
    if stage and id(stage) not in checked:
        mistakes.check_stage(item.nodeid, MANIFESTS, stage)
        checked[id(stage)] = stage
    if table:
        mistakes.check_table(item.nodeid, table)
    mistakes.check(item.nodeid, MANIFESTS, stage, _cases_of(item), refused_of(item))


def _check_settling(module: object, selected: Iterable[Case]) -> None:
    """Refuse a stage whose change nothing would show; judged by all that the module states, whatever is selected.

    Raises:
        SettingsError: the stage settles on what the state before answers too, or on nothing.
    """
    stage = getattr(module, "STAGE", None)
    cases = {case.id: case for case in (*cases_stated(module), *selected)}
    if isinstance(stage, Stage) and (wrong := settling.problem(stage, cases.values())):
        raise SettingsError(f"{getattr(module, '__name__', module)}: {wrong[0]}", wrong[1])


def _cases_of(item: pytest.Item) -> tuple[Case, ...]:
    case, table = case_of(item), table_of(item)
    return (case,) if case else table.cases if table else ()


def proven_by(item: pytest.Item, control: Control) -> Proves:
    """What this test is going to prove."""
    case, table, refused, stage = case_of(item), table_of(item), refused_of(item), stage_of(item)
    proves = Proves(
        PlannedTest(item.nodeid, _id(item, control, case or refused, table), ()),
        control,
        case,
        table,
        refused,
        stage,
        is_independent(item),
    )
    needs = _needs(item, proves)
    planned = replace(
        proves.planned,
        subjects=_subjects(proves),
        needs=tuple(sorted(needs)),
        alone=CapabilityName.MESH_WIDE in needs and not (stage and stage.safe_in_parallel),
        tokens=tokens_of(proves),
        placement=placement_of(item),
        expected=" or ".join(dict.fromkeys(one.expect.text for one in proves.cases)),
    )
    if stage:
        steps = [path for step in proves.steps for path in step.apply]
        planned = replace(
            planned,
            environment=stage.environment,
            prefetch=stage.prefetch,
            apply=(*stage.apply, *stage.replaced, *steps),
            removed=stage.removed,
        )
    if case:
        planned = replace(planned, sends=_words(case.probe), before=case.before.text if case.before else "")
    if table:
        planned = replace(planned, sends=f"a table of {len(table.cases)} cells")
    if refused:
        planned = replace(planned, sends=f"applies {refused.manifest}", expected=refused.expected)
    return replace(proves, planned=planned)


def _subjects(proves: Proves) -> tuple[Subject, ...]:
    """What each case of the test is about, or the test itself where it has none."""
    control, stage, planned = proves.control, proves.stage, proves.planned
    about = Subject(
        control=control.id,
        id=planned.id,
        title=control.title,
        polarity=control.polarity,
        suite=planned.nodeid.split("::", 1)[0],
        stage=stage.name if stage else "",
        stage_title=stage.title if stage else "",
        twin_control=control.twin,
        advisory=control.advisory,
    )
    return tuple(_subject(about, one) for one in proves.cases) or (_stated(about, proves.refused),)


def _stated(about: Subject, refused: RefusedManifest | None) -> Subject:
    return replace(about, expected=refused.expected) if refused else about


def _id(item: pytest.Item, control: Control, case: Case | RefusedManifest | None, table: Table | None) -> str:
    if case:
        return case.id
    suffix = getattr(getattr(item, "callspec", None), "id", "")
    return f"{control.id}[{suffix}]" if suffix and not table else control.id


def _subject(about: Subject, case: Case) -> Subject:
    return replace(
        about,
        id=case.id,
        source=f"{case.probe.source.namespace}/{case.probe.source.app}",
        destination=case.probe.destination,
        request=case.probe.record,
        expected=case.expect.text,
    )


def _needs(item: pytest.Item, proves: Proves) -> set[str]:
    """Capabilities of the control, the stage, the cases and the mark; a case may name a substitute for one."""
    substitutes = dict(proves.case.substitutes) if proves.case else {}
    stated = {substitutes.get(name, name) for name in _stated_needs(item, proves)}
    return stated | token_needs(proves, stated) | mutual_tls_needs(proves) | plaintext_needs(proves)


def _stated_needs(item: pytest.Item, proves: Proves) -> set[str]:
    """Capabilities of the control, the stage, the cases and the mark, before any substitute takes its place."""
    needs = proves.control.needs | (proves.stage.needs if proves.stage else frozenset()) | needs_of(item)
    return set(needs.union(*(case.needs for case in proves.cases), proves.refused.needs if proves.refused else ()))


def _words(probe: Probe) -> str:
    token = f" (token: {probe.token_words})" if probe.token_words else ""
    headers = "".join(f", {name}: {value}" for name, value in probe.record.headers)
    return f"{probe.words}{headers}{token}"


def tokens_of(proves: Proves) -> tuple[tuple[str, bool], ...]:
    """Kinds of tokens that a test sends; each with whether it is sent in the URL."""
    sent = (token for probe in proves.sends for token in probe.all_tokens if not (token.issuer or token.text))
    return tuple(dict.fromkeys((token.kind, token.in_url) for token in sent))
