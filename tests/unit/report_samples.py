"""A realistic run for the tests of the reports: every verdict and grade, flaps, a late case, a lost exec."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from itertools import pairwise

from clients.model.attempt import Attempt, Phase, Sample
from clients.model.evidence import Applied, Evidence, Finding, FindingVerdict, Grade, Subject, TwinProof, Verdict, judge
from clients.model.outcome import OutcomeKind
from clients.model.request_record import RequestRecord
from reports.record.journal import Contents
from reports.record.model import MeshRecord, Report, RunInfo, TargetInfo

OK, RESET, DENIED, UNAUTHENTICATED = "200", "000 reset (56)", "403", "401"
EXPECTED = {DENIED: "403, body contains 'RBAC: access denied'"}
BODIES = {
    OK: '{\n  "origin": "127.0.0.6:41307"\n}\n',
    DENIED: "RBAC: access denied",
    UNAUTHENTICATED: "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
}
PEER = """apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  labels:
    app.kubernetes.io/managed-by: meshproof
    meshproof.dev/run: 20261122-161305-7c1e
    meshproof.dev/worker: gw0
  name: {name}
  namespace: {namespace}
spec:
  mtls:
    mode: STRICT
"""
REQUEST_AUTHENTICATION = """apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata:
  name: jwt-example
  namespace: mp7c1e-mtls-service
spec:
  jwtRules:
  - issuer: testing@secure.istio.io
    jwks: '{"keys":[{"kty":"RSA","kid":"rs-1","use":"sig","alg":"RS256","e":"AQAB","n":"xAE7eB6qugXyCAG3yhh7"}]}'
  selector:
    matchLabels:
      app: httpbin
"""
REQUIRE_JWT = """apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: require-jwt
  namespace: mp7c1e-mtls-service
spec:
  action: ALLOW
  rules:
  - from:
    - source:
        requestPrincipals:
        - testing@secure.istio.io/testing@secure.istio.io
  selector:
    matchLabels:
      app: httpbin
"""
MESH_WIDE = Applied("lab/mesh-wide-mtls.yaml", "PeerAuthentication", "istio-system", "mesh-wide-mtls",
                    PEER.format(name="mesh-wide-mtls", namespace="istio-system"))  # fmt: skip
NAMESPACED = Applied("lab/restricted-mtls.yaml", "PeerAuthentication", "mp7c1e-strict-mtls-service", "restricted-mtls",
                     PEER.format(name="restricted-mtls", namespace="mp7c1e-strict-mtls-service"))  # fmt: skip
JWT = Applied(
    "lab/jwt-example.yaml", "RequestAuthentication", "mp7c1e-mtls-service", "jwt-example", REQUEST_AUTHENTICATION
)
REQUIRE = Applied("lab/require-jwt.yaml", "AuthorizationPolicy", "mp7c1e-mtls-service", "require-jwt", REQUIRE_JWT)

# control, title, polarity, stage, source, destination, request, outcome, outcome before the change, twin
ROWS = """
LAB-PERM-01 | By default mtls-client reaches httpbin in mtls-service (injected to injected) | allow | permissive | mtls-client/sleep | httpbin.mtls-service | GET /ip | 200 | | LAB-PERM-05
LAB-PERM-02 | By default mtls-client reaches httpbin in legacy-service (injected to plain) | allow | permissive | mtls-client/sleep | httpbin.legacy-service | GET /ip | 200 | | LAB-PERM-05
LAB-PERM-03 | By default legacy-client reaches httpbin in mtls-service (plain to injected) | allow | permissive | legacy-client/sleep | httpbin.mtls-service | GET /ip | 200 | | LAB-PERM-05
LAB-PERM-04 | By default legacy-client reaches httpbin in legacy-service (plain to plain) | allow | permissive | legacy-client/sleep | httpbin.legacy-service | GET /ip | 200 | | LAB-PERM-05
LAB-XFCC-01 | A call between two injected workloads arrives with the client certificate header | allow | permissive | mtls-client/sleep | httpbin.mtls-service | GET /headers | 200 | | LAB-XFCC-02
LAB-XFCC-02 | A call from an injected client to a plain server carries no certificate header | deny | permissive | mtls-client/sleep | httpbin.legacy-service | GET /headers | 200 | | LAB-XFCC-01
LAB-XFCC-03 | A call from a plain client to an injected server carries no certificate header | deny | permissive | legacy-client/sleep | httpbin.mtls-service | GET /headers | 200 | | LAB-XFCC-01
LAB-XFCC-04 | A plain client cannot forge the certificate header | deny | permissive | legacy-client/sleep | httpbin.mtls-service | GET /headers | 200 | | LAB-XFCC-01
LAB-MTLS-01 | Under mesh-wide STRICT injected to injected still works | allow | mesh-wide-strict | mtls-client/sleep | httpbin.mtls-service | GET /ip | 200 | 200 | LAB-MTLS-03
LAB-MTLS-02 | Under mesh-wide STRICT injected to plain still works | allow | mesh-wide-strict | mtls-client/sleep | httpbin.legacy-service | GET /ip | 200 | 200 | LAB-MTLS-03
LAB-MTLS-03 | Under mesh-wide STRICT plain to injected is refused | deny | mesh-wide-strict | legacy-client/sleep | httpbin.mtls-service | GET /ip | 000 reset (56) | 200 | LAB-MTLS-01
LAB-MTLS-04 | Under mesh-wide STRICT plain to plain still works | allow | mesh-wide-strict | legacy-client/sleep | httpbin.legacy-service | GET /ip | 200 | 200 | LAB-MTLS-03
LAB-MTLS-05 | Deleting the mesh-wide policy brings plain to injected back | allow | mesh-wide-removed | legacy-client/sleep | httpbin.mtls-service | GET /ip | 200 | 000 reset (56) | LAB-MTLS-03
LAB-NSMTLS-02 | A namespace policy leaves another injected namespace open to plaintext | allow | namespace-strict | legacy-client/sleep | httpbin.mtls-service | GET /ip | 200 | 200 | LAB-NSMTLS-03
LAB-NSMTLS-03 | The namespace with STRICT refuses plaintext | deny | namespace-strict | legacy-client/sleep | httpbin.strict-mtls-service | GET /ip | 000 reset (56) | 200 | LAB-NSMTLS-04
LAB-NSMTLS-04 | The namespace with STRICT accepts mutual TLS | allow | namespace-strict | mtls-client/sleep | httpbin.strict-mtls-service | GET /ip | 200 | 200 | LAB-NSMTLS-03
LAB-NSMTLS-05 | Deleting the namespace policy reopens the namespace to plaintext | allow | namespace-removed | legacy-client/sleep | httpbin.strict-mtls-service | GET /ip | 200 | 000 reset (56) | LAB-NSMTLS-03
LAB-JWT-01 | A malformed token is refused | deny | request-authentication | mtls-client/sleep | httpbin.mtls-service | GET /headers token | 401 | 200 | LAB-JWT-03
LAB-JWT-02 | A request without a token passes when only RequestAuthentication exists | allow | request-authentication | mtls-client/sleep | httpbin.mtls-service | GET /headers | 200 | 200 | LAB-AUTHZ-02
LAB-JWT-03 | A valid token passes when only RequestAuthentication exists | allow | request-authentication | mtls-client/sleep | httpbin.mtls-service | GET /headers token | 200 | 200 | LAB-JWT-01
LAB-JWT-04[wrong-issuer] | Well-formed tokens of a wrong issuer, a foreign key or a past expiry are refused | deny | request-authentication | mtls-client/sleep | httpbin.mtls-service | GET /headers token | 401 | 200 | LAB-JWT-03
LAB-JWT-04[foreign-key] | Well-formed tokens of a wrong issuer, a foreign key or a past expiry are refused | deny | request-authentication | mtls-client/sleep | httpbin.mtls-service | GET /headers token | 401 | 200 | LAB-JWT-03
LAB-JWT-04[expired] | Well-formed tokens of a wrong issuer, a foreign key or a past expiry are refused | deny | request-authentication | mtls-client/sleep | httpbin.mtls-service | GET /headers token | 401 | 200 | LAB-JWT-03
LAB-AUTHZ-01 | With require-jwt a valid token is accepted | allow | require-jwt | mtls-client/sleep | httpbin.mtls-service | GET /headers token | 200 | 200 | LAB-AUTHZ-02
LAB-AUTHZ-02 | With require-jwt a request without a token is refused | deny | require-jwt | mtls-client/sleep | httpbin.mtls-service | GET /headers | 403 | 200 | LAB-AUTHZ-01
LAB-AUTHZ-03 | With require-jwt a malformed token is still an authentication failure | deny | require-jwt | mtls-client/sleep | httpbin.mtls-service | GET /headers token | 401 | 200 | LAB-AUTHZ-01
LAB-AUTHZ-04 | A validly signed token of another subject is refused | deny | require-jwt | mtls-client/sleep | httpbin.mtls-service | GET /headers token | 403 | 200 | LAB-AUTHZ-01
LAB-PATH-01 | With the narrowed policy GET /ip with a token is accepted | allow | get-ip-only | mtls-client/sleep | httpbin.mtls-service | GET /ip token | 200 | 200 | LAB-PATH-02
LAB-PATH-02 | With the narrowed policy another path is refused although the token is valid | deny | get-ip-only | mtls-client/sleep | httpbin.mtls-service | GET /headers token | 403 | 200 | LAB-PATH-01
LAB-PATH-03 | With the narrowed policy GET /ip without a token is refused | deny | get-ip-only | mtls-client/sleep | httpbin.mtls-service | GET /ip | 403 | 403 | LAB-PATH-01
LAB-PATH-04 | With the narrowed policy another method on /ip is refused | deny | get-ip-only | mtls-client/sleep | httpbin.mtls-service | POST /ip token | 403 | 200 | LAB-PATH-01
LAB-PATH-05 | Deleting the policy lets a request without a token pass again | allow | policy-removed | mtls-client/sleep | httpbin.mtls-service | GET /headers | 200 | 403 | LAB-AUTHZ-02
"""  # noqa: E501
STATES = """
LAB-SETUP-01 | The control plane is up before anything is tested | services istiod and istiod-default exist with ports 15010, 15012, 443, 15014; every istiod pod is Running and 1/1
LAB-SETUP-02 | Workloads in the legacy namespaces run without a sidecar | pods are Running and 1/1; no container named istio-proxy
LAB-SETUP-03 | Workloads in the mtls namespaces run with a sidecar | pods are Running and 2/2 and contain istio-proxy
LAB-JWT-05 | The demo token carries the issuer and subject that the policy expects | claims exp 4685989700, foo bar, iat 1532389700; iss/sub equals the requestPrincipals entry
"""  # noqa: E501
SKIPPED = """
LAB-DASH-01 | Telemetry names the injected caller and marks its traffic as mutual TLS | needs capability metrics: the proxies of this target have no standard metrics filter
LAB-DASH-02 | Telemetry shows the plain caller as unknown and its traffic as plaintext | needs capability metrics: the proxies of this target have no standard metrics filter
IAP-PRE-01 | Project policy lists the account of the mesh data plane | needs capability gke-only: live target only, and no hermetic substitute exists
"""  # noqa: E501
NOT_RUN = ("LAB-PERM-05[mtls-client-mtls-service]", "LAB-PERM-05[legacy-client-mtls-service]")
APPLIED = {
    "mesh-wide-strict": (MESH_WIDE,),
    "mesh-wide-removed": (MESH_WIDE,),
    "namespace-strict": (NAMESPACED,),
    "namespace-removed": (NAMESPACED,),
    "request-authentication": (JWT,),
    "require-jwt": (JWT, REQUIRE),
    "get-ip-only": (JWT, REQUIRE),
    "policy-removed": (JWT, REQUIRE),
}
TITLES = {
    "permissive": "By default both plaintext and mutual TLS pass",
    "mesh-wide-strict": "A mesh-wide policy demands mutual TLS",
    "mesh-wide-removed": "Without the mesh-wide policy plaintext passes again",
    "namespace-strict": "A namespace's policy demands mutual TLS",
    "namespace-removed": "Without the namespace's policy plaintext passes again",
    "request-authentication": "Tokens are checked, but not demanded",
    "require-jwt": "A valid token of one subject is demanded",
    "get-ip-only": "Only GET /ip is allowed with a token",
    "policy-removed": "Without the policy no token is needed",
}
"""The stages `setup` and `telemetry` have none."""
UNCHECKED = "the proxies of this target write no access log"


@cache
def sample_report() -> Report:
    """39 cases: 33 pass, of which one is late and 3 are of reduced grade; 2 fail: one flaps, one never changes.

    One loses its exec, 3 are skipped, and 2 more are planned but not run.
    """
    from reports.record.conformance import build

    return build(sample_contents())


def sample_contents() -> Contents:
    """The same as a journal says it."""
    chance = random.Random(7)
    cases = [*map(_state, _rows(STATES)), *(_case(row, chance) for row in _rows(ROWS)), *map(_skipped, _rows(SKIPPED))]
    changed = [_SPECIAL.get(case.id, lambda same: same)(case) for case in cases]
    recorded = ((f"2026-11-22T16:13:{5 + index:02d}.000Z", case) for index, case in enumerate(changed))
    return Contents(sample_run(tuple(case.id for case in cases)), sample_target(), tuple(recorded))


def sample_run(planned: tuple[str, ...] = ()) -> RunInfo:
    """A finished run."""
    return RunInfo(
        id="20261122-161305-7c1e", started="2026-11-22T16:13:05Z", ended="2026-11-22T16:13:47Z", exit=1,
        command="./meshproof run -n 2 --istio 1.29", planned=(*planned[:8], *NOT_RUN, *planned[8:]) if planned else (),
        environment={"meshproof": "0.1.0", "python": "3.11.7", "pytest": "9.2.0", "workers": "2",
                     "error rate of a judgement": "0.0001", "budget of a case": "30 s"},
    )  # fmt: skip


def sample_target() -> TargetInfo:
    """The embedded target."""
    return TargetInfo(
        kind="embedded", kubernetes="v1.34.4", mesh=MeshRecord("istio", "1.29.1", "default"),
        details={"envoy": "1.37.0", "cni": "Calico 3.28.5", "nodes": "1", "capabilities": "jwt, mesh-wide"},
    )  # fmt: skip


def a_case(**changes: object) -> Evidence:
    """One passing denial, with `changes`."""
    case = next(case for case in sample_report().cases if case.id == "LAB-MTLS-03")
    return replace(case, **changes)  # type: ignore[arg-type]


def _rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


def _case(row: list[str], chance: random.Random) -> Evidence:
    key, title, polarity, stage, source, destination, request, outcome, before, twin = row
    refusal = OK if "XFCC" in key else RESET if "MTLS" in key else "503" if "PERM" in key else DENIED
    attempts = _attempts(outcome, before, refusal, chance)
    confirmed = [a for a in attempts if a.phase is Phase.CONFIRM]
    first = min(a.at_s for a in attempts if a.matched and a.phase in (Phase.CONVERGE, Phase.CONFIRM))
    samples = [_sample(attempts[0]), _sample(confirmed[-1])] if before else [_sample(confirmed[-1])]
    denial = outcome != OK
    opposite = attempts[-1].summary
    expected = EXPECTED.get(outcome, outcome)
    if "XFCC" in key:
        expected = "200, server received X-Forwarded-Client-Cert" if polarity == "allow" else (
            "200, server received no X-Forwarded-Client-Cert")  # fmt: skip
    subject = Subject(
        control=key.split("[")[0], id=key, title=title, polarity=polarity, suite="suites/lab/test_lab.py", stage=stage,
        stage_title=TITLES[stage], source=source, destination=destination, expected=expected, twin_control=twin,
        request=_request(key, request, destination),
    )  # fmt: skip
    twin_proof = TwinProof(twin, Verdict.PASS, opposite, opposite, attempts[-1].request_id)
    findings = _findings(key, denial, outcome, before, twin_proof)
    verdict, grade, reason = judge(findings)
    return Evidence.of(
        subject, verdict, reason, grade=grade, observed=outcome, command=_command(request, destination),
        attempts=attempts, samples=tuple(samples),
        flaps=sum(not b.matched and a.matched for a, b in pairwise(attempts)
                  if b.phase is not Phase.TWIN and a.phase is not Phase.BASELINE),
        confirmations=29, time_to_first_s=first, time_to_stable_s=confirmed[-1].at_s,
        duration_s=round(attempts[-1].at_s + 0.4, 3), budget_s=30.0, twin=twin_proof, findings=findings,
        applied=APPLIED.get(stage, ()), worker=chance.choice(("gw0", "gw1")),
    )  # fmt: skip


def _request(key: str, request: str, destination: str) -> RequestRecord:
    method, path, *token = request.split()
    kind = key.partition("[")[2].rstrip("]") or "RS256"
    return RequestRecord(method, f"http://{destination}:8000{path}", path, kind if token else "")


def found(name: str, text: str, verdict: FindingVerdict = FindingVerdict.PASS) -> Finding:
    """A finding that supports the outcome, or another one."""
    return Finding(name, text, verdict)


def _findings(key: str, denial: bool, outcome: str, before: str, twin: TwinProof) -> tuple[Finding, ...]:
    made = [found("before the change", f"{before}, 3 probes")] if before else []
    if not denial:
        return (*made, found("exec", "session alive before and after, 0 of 34 probes lost"))
    refused = "403 rbac_access_denied_matched_policy[none], no upstream host"
    access_log = found(
        "access log", f"sidecar: {'no entry; connection refused before HTTP' if outcome == RESET else refused}"
    )
    if key.startswith("LAB-JWT-04"):
        access_log = found("access log", UNCHECKED, FindingVerdict.NOT_CHECKED)
    return (
        *made,
        found("exec", "session alive before and after, 0 of 36 probes lost"),
        found("twin", f"{twin.control} expected {twin.expected}, saw {twin.observed}"),
        found("backend log", "31 request ids absent from the application log of 2 replicas"),
        access_log,
    )


def kind_of(summary: str) -> OutcomeKind:
    """The kind of outcome that has such a summary."""
    if summary.startswith("infrastructure"):
        return OutcomeKind.INFRASTRUCTURE
    return OutcomeKind.RESET if summary == RESET else OutcomeKind.STATUS


def _attempts(outcome: str, before: str, refusal: str, chance: random.Random) -> tuple[Attempt, ...]:
    def attempt(at: float, phase: Phase, matched: bool, summary: str) -> Attempt:
        problem = "" if matched else f"expected {EXPECTED.get(outcome, outcome)}, saw {summary}"
        key = f"mp-7c1e-{chance.getrandbits(32):08x}"
        return Attempt(round(at, 3), phase, matched, summary, key, problem, kind=kind_of(summary))

    made = [attempt(-1.9 + step * 0.03, Phase.BASELINE, True, before) for step in range(3) if before]
    at = 0.02
    if before and before != outcome:
        delay = chance.uniform(0.19, 0.34)
        while at < delay:
            made.append(attempt(at, Phase.CONVERGE, False, before))
            at += 0.052
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            made.append(attempt(at, Phase.CONVERGE, True, outcome))
            made.append(attempt(at + 0.02, Phase.CONFIRM, False, before))
            at += 0.06
    made.append(attempt(at, Phase.CONVERGE, True, outcome))
    for _ in range(29):
        at += chance.uniform(0.009, 0.014)
        made.append(attempt(at, Phase.CONFIRM, True, outcome))
    made.append(attempt(at + 0.03, Phase.TWIN, True, OK if outcome != OK else refusal))
    return tuple(made)


def _sample(attempt: Attempt) -> Sample:
    body = BODIES.get(attempt.summary, "")
    headers = {"server": ["envoy"], "content-length": [str(len(body))]} if body else {}
    error = "" if body else "Recv failure: Connection reset by peer"
    return Sample(attempt.at_s, attempt.summary, attempt.request_id, "10.96.14.201:8000", 0.0041, headers, body, error)


def _command(request: str, destination: str) -> str:
    method, path, *token = request.split()
    bearer = " -H 'Authorization: Bearer [redacted jwt 3fa9c1]'" if token else ""
    verb = "" if method == "GET" else f" -X {method}"
    return f"curl -sS --max-time 5{verb}{bearer} http://{destination}:8000{path}"


def _state(row: list[str]) -> Evidence:
    key, title, expected = row
    attempt = Attempt(0.012, Phase.CONVERGE, True, "as expected", "", kind=OutcomeKind.LOOK)
    return Evidence(
        control=key, id=key, title=title, polarity="state", verdict=Verdict.PASS, grade=Grade.FULL, expected=expected,
        observed="as expected", suite="suites/lab/test_setup.py", stage="setup", attempts=(attempt,), confirmations=1,
        time_to_first_s=0.012, time_to_stable_s=0.012, duration_s=0.02, budget_s=30.0, worker="gw0",
    )  # fmt: skip


def _skipped(row: list[str]) -> Evidence:
    key, title, reason = row
    return Evidence(
        control=key, id=key, title=title, polarity="state", verdict=Verdict.SKIP, reason=reason,
        expected="caller sleep of mtls-client is listed by name", suite="suites/lab/test_telemetry.py",
        stage="telemetry", worker="gw1",
    )  # fmt: skip


def _flapping(case: Evidence) -> Evidence:
    """One of two replicas never got the policy: the answer alternates to the end of the budget."""
    chance = random.Random(3)
    made = list(case.attempts[:3])
    flaps = 0
    for step in range(220):
        stale = chance.random() < 0.24
        flaps += stale and made[-1].matched and len(made) > 3
        made.append(Attempt(
            round(0.25 + step * 0.135, 3), Phase.CONVERGE if stale or step == 0 else Phase.CONFIRM, not stale,
            OK if stale else DENIED, f"mp-7c1e-{chance.getrandbits(32):08x}",
            f"expected {EXPECTED[DENIED]}, saw 200" if stale else "", kind=OutcomeKind.STATUS,
        ))  # fmt: skip
    return replace(
        case, verdict=Verdict.FAIL, grade=None, observed="200", attempts=tuple(made), flaps=flaps,
        time_to_stable_s=None, time_to_first_s=0.25, duration_s=30.4, slow=True, diagnostics="diagnostics/LAB-AUTHZ-02",
        samples=(_sample(made[0]), _sample(made[3]), _sample(made[-1])),
        reason="no 29 matches in a row within 30 s: 403 and 200 alternate; at least one replica has no policy",
        findings=(*case.findings[:-2], found("backend log", "mp-7c1e-1f0a9c42 reached replica httpbin-5d8f7c9c5b-x2k4q",
                                             FindingVerdict.FAIL), case.findings[-1]),
    )  # fmt: skip


def _never(case: Evidence) -> Evidence:
    """The change never arrived."""
    why = "expected 000 reset (56), saw 200"
    made = [*case.attempts[:3]] + [
        Attempt(round(0.02 + step * 0.4, 3), Phase.CONVERGE, False, OK, f"mp-7c1e-{step:08x}", why,
                kind=OutcomeKind.STATUS)
        for step in range(75)
    ]  # fmt: skip
    return replace(
        case, verdict=Verdict.FAIL, grade=None, observed="200", attempts=tuple(made), flaps=0, time_to_first_s=None,
        twin=None, slow=True, time_to_stable_s=None, duration_s=30.3, diagnostics="diagnostics/LAB-NSMTLS-03",
        samples=(_sample(made[0]), _sample(made[-1])), reason=f"{why} on all of 75 attempts in 30 s",
        findings=(found("exec", "session alive before and after, 0 of 78 probes lost"),),
    )  # fmt: skip


def _lost(case: Evidence) -> Evidence:
    """The exec was lost after the first matches."""
    why = "infrastructure: exec session of sleep-7d4b-qq lost: websocket closed (1006)"
    start = case.attempts[-6].at_s
    made = [*case.attempts[:-6], *(
        Attempt(round(start + step * 1.9, 3), Phase.CONVERGE, False, why, f"mp-7c1e-0000000{step}", why,
                kind=OutcomeKind.INFRASTRUCTURE)
        for step in range(9)
    )]  # fmt: skip
    return replace(
        case, verdict=Verdict.INCONCLUSIVE, grade=None, observed=why, attempts=tuple(made), time_to_stable_s=None,
        duration_s=18.2,
        reason="9 probes in a row did not run: websocket closed (1006); says nothing about the mesh", twin=None,
        diagnostics="diagnostics/LAB-PATH-04",
        findings=(found("exec", "session lost, 9 of 43 probes lost", FindingVerdict.INCONCLUSIVE),),
    )  # fmt: skip


def _late(case: Evidence) -> Evidence:
    def shift(attempt: Attempt) -> Attempt:
        return replace(attempt, at_s=round(attempt.at_s + 24.1, 3)) if attempt.matched and attempt.at_s > 0 else attempt

    made = tuple(sorted(map(shift, case.attempts), key=lambda a: a.at_s))
    return replace(
        case, attempts=made, time_to_first_s=24.31, time_to_stable_s=made[-2].at_s, duration_s=25.3, slow=True,
        substitute="hermetic",
    )  # fmt: skip


_SPECIAL = {"LAB-AUTHZ-02": _flapping, "LAB-NSMTLS-03": _never, "LAB-PATH-04": _lost, "LAB-PATH-05": _late}
