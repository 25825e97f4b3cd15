"""Mistakes of an author end `plan` and `run` before anything is touched: exit code 2, and one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clients.mesh.capabilities.capabilities import CapabilityName
from clients.model.errors import SettingsError
from runner.config import catalogue
from runner.config.settings import ROOT, Settings
from runner.session.planning import mistakes
from runner.session.planning.collect_plan import collect

pytestmark = pytest.mark.unit

MODULE = """
from clients.model.case import Case
from clients.model.expect import status
from clients.model.probe import Workload
from clients.model.refused import RefusedManifest
from clients.model.stage import Settle, Stage, Step
from clients.model.token import Token

CLIENT = Workload("mtls-client", "sleep", "sleep")
URL = "http://httpbin.mtls-service:8000/ip"
STAGE = Stage("m", title="m", environment=("lab/environment",){stage})
CASES = [Case("{control}", CLIENT.get(URL{probe}), status(200){case})]
REFUSED = [{refused}]

def test_case(case, prove):
    prove(case)

def test_refused(refused, prove_refused):
    prove_refused(refused)
"""
WHOLE = {"stage": "", "control": "LAB-PERM-01", "probe": "", "case": "", "refused": ""}

MISTAKES = {
    "a capability of the stage": (
        {"stage": ", needs=frozenset({'plaintext-clint'})"},
        "unknown capability 'plaintext-clint'; did you mean plaintext-client?",
    ),
    "a capability of a case": ({"case": ", needs=frozenset({'jtw'})"}, "unknown capability 'jtw'; did you mean jwt?"),
    "a manifest": (
        {"stage": ", apply=('lab/jwt/jwt-exampel.yaml',)"},
        "no manifest lab/jwt/jwt-exampel.yaml; did you mean lab/jwt/jwt-example.yaml?",
    ),
    "a manifest of a step": ({"stage": ", steps=(Step('a', apply=('lab/nothing',)),)"}, "no manifest lab/nothing"),
    "a manifest that must be refused": (
        {"refused": "RefusedManifest('LAB-PERM-02', 'lab/no.yaml', 'x', 'lab/jwt/jwt-example.yaml')"},
        "no manifest lab/no.yaml",
    ),
    "a step": (
        {"stage": ", steps=(Step('second'),)", "case": ", step='secnd'"},
        "LAB-PERM-01 is in step 'secnd', which its stage has not; did you mean second?",
    ),
    "a control": ({"control": "LAB-PREM-01"}, "unknown control LAB-PREM-01; did you mean LAB-PERM-01?"),
    "a kind of token": ({"probe": ", token='expierd'"}, "unknown kind of token 'expierd'"),
    "a kind of token of a named issuer": (
        {"probe": ", tokens=(Token('people', kind='expierd'),)"},
        "unknown kind of token 'expierd'",
    ),
    "a scheme": (
        {"probe": ".replace('http:', 'htp:')"},
        "a client in a pod cannot send htp://httpbin.mtls-service:8000/ip",
    ),
    "a scheme of clients outside": (
        {"probe": ".replace('http:', 'grpc:')"},
        "a client in a pod cannot send grpc://httpbin.mtls-service:8000/ip; one of http://, https://, tcp://, udp://",
    ),
    "an impostor without TLS": (
        {"probe": ", impostor_of=CLIENT"},
        "impostor_of and tls_max are for TLS, and not for http://httpbin.mtls-service:8000/ip; one of grpcs://",
    ),
    "a trust domain without an impostor": (
        {"probe": ".replace('http:', 'https:'), impostor_domain='foreign.example'"},
        "impostor_domain is that of an identity, and there is no impostor_of; add it",
    ),
    "a version of TLS": (
        {"probe": ".replace('http:', 'https:'), tls_max='1.4'"},
        "no tls_max '1.4'; one of 1.0, 1.1, 1.2",
    ),
    "a capability of a Settle": (
        {"stage": ", settle=(Settle(CLIENT.get(URL), status(200), needs=frozenset({'jtw'})),)"},
        "unknown capability 'jtw' of a Settle, which would never be looked at",
    ),
    "a text in place of a tuple": (
        {"stage": ", apply='lab/jwt/jwt-example.yaml'"},
        "apply of Stage is 'lab/jwt/jwt-example.yaml', and must be a tuple of text",
    ),
    "a status in place of an outcome": ({"case": ", before=200"}, "before of Case is 200, and must be Expectation"),
    "a twin that is the request": ({"case": ", twin=CLIENT.get(URL)"}, "LAB-PERM-01: its twin is the request itself"),
    "a token that would not be sent": (
        {"probe": ", token='valid', token_as='x-token'"},
        "no place of a token 'x-token'; write `Header: {}` or",
    ),
    "a manifest that is its own twin": (
        {"refused": "RefusedManifest('LAB-PERM-02', 'lab/jwt/jwt-example.yaml', 'x', 'lab/jwt/jwt-example.yaml')"},
        "the twin of a refused manifest is lab/jwt/jwt-example.yaml itself",
    ),
    "a field of a case": ({"case": ", stepp='x'"}, "unexpected keyword argument 'stepp'"),
    "a field of a probe": ({"probe": ", htpp2=True"}, "unexpected keyword argument 'htpp2'"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['runner.session.plugin']\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = control(id): x\n")
    return tmp_path


@pytest.mark.parametrize(("changes", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_ends_the_plan(folder: Path, changes: dict[str, str], message: str) -> None:
    (folder / "test_m.py").write_text(MODULE.format(**{**WHOLE, **changes}))
    with pytest.raises(SettingsError) as error:
        collect(["."], Settings(), folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "other", "message"),
    [
        (
            "CASES =",
            "CASE =",
            "test_m.py::test_case: it proves nothing: its module states no CASES; name the list CASES",
        ),
        ("def test_case(case, prove)", "def helper(case, prove)", "test_m.py: no test takes its CASES: add `def test_"),
        ("STAGE =", "STAGES =", "its module states no STAGE; write STAGE = Stage(…), without a comma at its end"),
        ('environment=("lab/environment",))', 'environment=("lab/environment",)),', "its module states no STAGE"),
    ],
)
def test_cases_that_no_test_proves_end_the_plan(folder: Path, text: str, other: str, message: str) -> None:
    """Another module is in order, so that something is selected."""
    (folder / "test_a.py").write_text(MODULE.format(**{**WHOLE, "control": "LAB-PERM-03"}))
    whole = MODULE.format(**WHOLE)
    assert text in whole
    (folder / "test_m.py").write_text(whole.replace(text, other))
    with pytest.raises(SettingsError) as error:
        collect(["."], Settings(), folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_module_without_a_mistake_is_planned(folder: Path) -> None:
    (folder / "test_m.py").write_text(MODULE.format(**WHOLE))
    assert [entry.id for entry in collect(["."], Settings(), folder)] == ["LAB-PERM-01"]


def test_one_id_in_two_modules_ends_the_plan(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / f"test_{name}.py").write_text(MODULE.format(**WHOLE))
    with pytest.raises(SettingsError, match=r"test_b\.py.* and test_a\.py.* both prove LAB-PERM-01; give one"):
        collect(["."], Settings(), folder)


def test_a_run_ends_with_exit_code_2(folder: Path) -> None:
    (folder / "test_m.py").write_text(MODULE.format(**{**WHOLE, "case": ", needs=frozenset({'jtw'})"}))
    done = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2
    assert "unknown capability 'jtw'" in done.stdout


def test_a_misspelt_twin_is_an_error(tmp_path: Path) -> None:
    entry = "{id: %s, title: t, polarity: allow, twin: %s}"
    text = f"cases: [{entry % ('X-A-1', 'X-A-3')}, {entry % ('X-A-2', 'X-A-1')}]"
    (tmp_path / "catalogue.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"the twin of X-A-1 \(X-A-3\) is not in the catalogue"):
        catalogue.load(tmp_path)


def test_every_name_of_the_table_is_known() -> None:
    mistakes.check_needs("test", [name.value for name in CapabilityName])
