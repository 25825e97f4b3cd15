"""A real issuer: name, address of keys and tokens come from settings, and the front door is proven by them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from e2e_runs import EndedRun, conform, plain
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from clients.kube.cluster import Cluster
from clients.model.errors import InfrastructureError
from clients.model.polling import poll
from clients.probe.way_in import WaysIn
from testbed import api
from tests.standins.issuer import AUDIENCE, NAME, Issuer

pytestmark = pytest.mark.e2e

SITE = Path(__file__).parent / "manifests" / "issuer.yaml"
HOME = "e2e-issuer"
LIFE_S = 40.0
"""Of a token: shorter than the run, so that the run has to fetch new ones."""
MODULES = ("suites/front/test_token_places.py", "suites/front/test_policy.py", "suites/front/test_keys_rotated.py")

PROVEN = {
    "CRA-AUTH-01",
    "CRA-AUTH-03",
    "CRA-AUTH-07[malformed]",
    "CRA-AUTH-07[expired]",
    "CRA-AUTH-07[foreign-key]",
    "CRA-AUTH-08[issuer]",
    "CRA-AUTH-08[audience]",
    "CRA-AUTH-10",
    *(
        f"X-FRONT-TOKEN-01[{kind}]"
        for kind in (
            "unknown-key",
            "unsigned",
            "signature-of-none",
            "signed-with-public-key",
            "tampered",
            "other-signature",
            "other scheme",
            "other header",
        )
    ),
    "X-DOOR-TOKEN-01[header]",
    "X-DOOR-TOKEN-01[cookie]",
    "CRA-UI-01",
    "CRA-AUTH-04",
}
TAKES_THE_KEY = {
    "CRA-AUTH-07[just-expired]",
    "X-FRONT-TOKEN-01[not-yet-valid]",
    "X-FRONT-TOKEN-01[soon-valid]",
    "X-FRONT-TOKEN-01[no-audience]",
    "X-FRONT-TOKEN-02[valid-es256]",
    "X-FRONT-TOKEN-02[two-audiences]",
    "X-KEYS-04",
    "CRA-UI-02",
}
WOULD_BE_LOGGED = {
    "X-FRONT-TOKEN-01[other parameter]",
    "X-FRONT-TOKEN-02[in the query]",
    "X-DOOR-TOKEN-01[query]",
    "X-DOOR-TOKEN-02[expired, query]",
    "X-DOOR-TOKEN-02[another parameter]",
    "X-DOOR-TOKEN-02[the usual parameter]",
}


_WITH_PATIENCE = Retrying(
    stop=stop_after_delay(60), wait=wait_fixed(0.5), retry=retry_if_exception_type(InfrastructureError), reraise=True
)
"""The node forwards to a new pod a moment after the pod is ready."""


@pytest.fixture(scope="module")
def site(cluster: Cluster, testbed: api.Up) -> Iterator[str]:
    """The issuer's site, which every client may fetch its files from."""
    for body in yaml.safe_load_all(SITE.read_text().replace("meshproof/httpbin", testbed.images["httpbin"])):
        cluster.apply(body, manager="e2e")

    def ready() -> bool:
        return any(pod.ready for pod in cluster.pods(HOME, "app=issuer"))

    try:
        assert poll(ready, time.monotonic() + 60)
        host, port = _WITH_PATIENCE(WaysIn(cluster).find, "issuer", HOME, 80, direct=True)
        yield f"http://{host}:{port}"
    finally:
        cluster.delete("v1", "Namespace", HOME)
        gone = poll(lambda: cluster.get("v1", "Namespace", HOME) is None, time.monotonic() + 60)
        assert gone


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    """Whose key no run has."""
    return Issuer()


@pytest.fixture(scope="module")
def environment(site: str, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings, with a file of an old token that only the issuer could have signed."""
    folder = tmp_path_factory.mktemp("issuer")
    (folder / "old").write_text(issuer.token(-600))
    command, _ = issuer.command(folder, LIFE_S)
    keys = base64.urlsafe_b64encode(json.dumps(issuer.jwks).encode()).decode()
    settings = {
        "issuer": NAME,
        "audience": AUDIENCE,
        "jwks_uri": f"{site}/base64/{keys}",
        "token": command,
        "expired_token": f"file:{folder}/old",
    }
    return {f"MESHPROOF_IDENTITY__{name.upper()}": value for name, value in settings.items()}


@pytest.fixture(scope="module")
def ran(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> EndedRun:
    """The controls of tokens, by a real issuer."""
    scratch = tmp_path_factory.mktemp("real")
    return conform(scratch, *MODULES, environment=environment, suite="suites/front/test_policy.py")


def test_the_front_door_is_proven_by_real_tokens(ran: EndedRun) -> None:
    assert ran.code == 0, ran.output[-6000:]
    assert set(ran.verdicts.values()) == {"pass", "skip"}
    assert {name for name, verdict in ran.verdicts.items() if verdict == "pass"} >= PROVEN


def test_what_needs_the_issuers_key_is_skipped_with_the_reason(ran: EndedRun) -> None:
    reasons = {name: case["reason"] for name, case in ran.cases.items() if case["verdict"] == "skip"}
    assert reasons.keys() >= TAKES_THE_KEY
    assert {name for name, why in reasons.items() if "access logs" in why} == WOULD_BE_LOGGED
    for name, why in reasons.items():
        assert name in WOULD_BE_LOGGED or "private key" in why, name


def test_the_mesh_has_the_real_issuer_and_the_address_of_its_keys(ran: EndedRun, site: str) -> None:
    objects = [ran.report["objects"][key] for key in ran.cases["CRA-AUTH-03"]["applied"]]
    [applied] = [one for one in objects if one["kind"] == "RequestAuthentication"]
    [rule] = yaml.safe_load(applied["yaml"])["spec"]["jwtRules"]
    assert (rule["issuer"], rule["audiences"]) == (NAME, [AUDIENCE])
    assert rule["jwksUri"].startswith(site)
    assert "jwks" not in rule


def given(environment: dict[str, str]) -> list[str]:
    """Every token that the command has given so far, and the old one."""
    folder = Path(environment["MESHPROOF_IDENTITY__EXPIRED_TOKEN"].removeprefix("file:")).parent
    return [*(folder / "given").read_text().splitlines(), (folder / "old").read_text()]


def test_tokens_were_fetched_again_before_they_expired(ran: EndedRun, environment: dict[str, str]) -> None:
    """At least: one and one for another audience to begin with, the same for the tests, and a new one later."""
    assert ran.took_s > LIFE_S
    assert 6 <= len(given(environment)) <= 5 + 2 * ran.took_s / (LIFE_S / 2)


def test_no_token_and_no_part_of_one_is_written_anywhere(ran: EndedRun, environment: dict[str, str]) -> None:
    assert len(ran.files) > 20
    assert ran.secrets() == []
    assert ran.left == []
    written = b"".join(map(plain, ran.files)) + ran.output.encode()
    parts = [part for token in given(environment) for part in (token, *token.split(".")[1:])]
    assert len(parts) > 15
    assert not [part for part in parts if part.encode() in written]


def test_a_gateway_that_checks_no_audience_is_caught(environment: dict[str, str], tmp_path: Path) -> None:
    """The real issuer's token for another audience is refused for its audience and nothing else."""
    spoilt = ("-p", "tests.mutants.plugin", "--mutant", "any-audience", "--budget", "8")
    wanted = ("--control", "CRA-AUTH-08", "--control", "CRA-AUTH-03")
    ran = conform(tmp_path, *spoilt, *wanted, environment=environment, suite="suites/front/test_policy.py")
    assert ran.verdicts == {"CRA-AUTH-03": "pass", "CRA-AUTH-08[issuer]": "pass", "CRA-AUTH-08[audience]": "fail"}
    assert "saw 200" in ran.cases["CRA-AUTH-08[audience]"]["reason"]
    assert any("diagnostics" in file.parts for file in ran.files)
    assert ran.secrets() == []
