"""Before IAP: Bookinfo runs in the mesh, and its gateway routes its paths and no others."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import status
from clients.model.stage import Stage
from suites.iap.workloads import (
    ELSEWHERE,
    ENVIRONMENT,
    FROM_GATEWAY,
    GATEWAY,
    INSIDE_SITE,
    OUTSIDE,
    PAGE,
    RATINGS,
    SITE,
    TITLE,
    page,
)

STAGE = Stage(
    "iap-bookinfo",
    title="Bookinfo before IAP: it runs injected, and only its paths are routed",
    environment=ENVIRONMENT,
)

READY = OUTSIDE.get(f"{SITE}:15021/healthz/ready", answered_by=Proxy.CLIENT)
SERVICES = ("details", "productpage", "ratings", "reviews")
STARS = {"none": "", "black": 'color="black"', "red": 'color="red"'}
RELOADS = 30

CASES = [
    Case("IAP-APP-02", RATINGS.get("http://productpage:9080/productpage"), status(200, TITLE)),
    Case("IAP-LB-04", OUTSIDE.get(f"{SITE}/"), status(404, FROM_GATEWAY), twin=READY),
    *(
        Case("IAP-LB-04", OUTSIDE.get(f"{SITE}{path}"), status(404, FROM_GATEWAY), twin=READY, variant=path)
        for path in ("/productpage/x", "/login/x")
    ),
]


def test_case(case, prove):
    prove(case)


@pytest.mark.control("IAP-PRE-01")
def test_the_project_lists_the_account_of_the_data_plane(observe):
    observe("IAP-PRE-01", "needs Google Cloud", lambda: "not asked")


@pytest.mark.control("IAP-PRE-03")
def test_the_google_apis_are_enabled(observe):
    observe("IAP-PRE-03", "needs Google Cloud", lambda: "not asked")


@pytest.mark.control("IAP-PRE-02")
def test_a_release_archive_has_a_valid_signature(observe, tmp_path):
    """With openssl, as in the document; archive and key are the project's own, as Google's are not available here."""
    key = ec.generate_private_key(ec.SECP256R1())
    archive, changed = tmp_path / "release.tar.gz", tmp_path / "changed.tar.gz"
    archive.write_bytes(b"release" * 1000)
    changed.write_bytes(b"Release" + b"release" * 999)
    signature, public = tmp_path / "release.sig", tmp_path / "key.pem"
    signature.write_bytes(key.sign(archive.read_bytes(), ec.ECDSA(hashes.SHA256())))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def verified(file):
        command = ["openssl", "dgst", "-sha256", "-verify", str(public), "-signature", str(signature), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout.strip()

    def problem():
        if not shutil.which("openssl"):
            return "openssl is not installed"
        good, bad = verified(archive), verified(changed)
        if good != (0, "Verified OK"):
            return f"the archive: {good}"
        return None if bad[0] and "OK" not in bad[1] else f"a changed byte is not noticed: {bad}"

    observe("IAP-PRE-02", "Verified OK and exit status 0; a failure for an archive with one changed byte", problem)


@pytest.mark.control("IAP-CP-01", needs=frozenset({"istiod"}))
def test_control_plane_and_gateway_run(observe, stage):
    rig = stage.rig

    def problem():
        for namespace, label in (
            (rig.mesh.control_namespace, "app=istiod"),
            (rig.overlay.namespace("iap-ingress"), "app=istio-ingressgateway"),
        ):
            pods = rig.cluster.pods(namespace, label)
            if not pods or not all(pod.ready and pod.phase == "Running" for pod in pods):
                return f"{label} in {namespace}: {', '.join(f'{pod.name} {pod.phase}' for pod in pods) or 'no pod'}"
        return None

    observe("IAP-CP-01", "every pod of istiod and of istio-ingressgateway Running and fully ready", problem)


@pytest.mark.control("IAP-APP-01")
def test_bookinfo_runs_injected(observe, stage):
    rig = stage.rig
    namespace = rig.overlay.namespace("bookinfo")

    def problem():
        for name in SERVICES:
            service = rig.cluster.get("v1", "Service", name, namespace)
            if not service or [port["port"] for port in service["spec"]["ports"]] != [9080]:
                return f"service {name} is missing, or not on 9080"
        pods = [pod for name in SERVICES for pod in rig.cluster.pods(namespace, f"app={name}")]
        # each once: how many replicas there are is the cluster's affair
        found = {(pod.labels["app"], pod.labels.get("version", "")) for pod in pods}
        versions = sorted(version for app, version in found if app == "reviews")
        if versions != ["v1", "v2", "v3"] or len(found) != 6:
            return f"pods of {len(found)} workloads, reviews: {', '.join(versions)}"
        wrong = [pod for pod in pods if not pod.ready or not pod.injected or len(pod.containers) != 2]
        return f"{wrong[0]} is not 2/2: {', '.join(wrong[0].containers)}" if wrong else None

    observe("IAP-APP-01", "four services on 9080; pods of six workloads, reviews v1 to v3, Running and 2/2", problem)


@pytest.mark.control("IAP-APP-03")
def test_the_gateway_is_listed_and_routes_only_its_paths(observe, stage):
    rig = stage.rig

    def problem():
        namespace = rig.overlay.namespace("bookinfo")
        if not rig.cluster.get("networking.istio.io/v1", "Gateway", "bookinfo-gateway", namespace):
            return "there is no Gateway bookinfo-gateway"
        probes = [ELSEWHERE.get(f"{INSIDE_SITE}{path}") for path in ("/productpage", "/no-such-path")]
        seen = [rig.prober.probe(probe, "IAP-APP-03")[0].summary for probe in probes]
        return None if seen == ["200", "404"] else f"/productpage gives {seen[0]}, /no-such-path {seen[1]}"

    observe("IAP-APP-03", "bookinfo-gateway exists; through it /productpage gives 200 and /no-such-path 404", problem)


@pytest.mark.control("IAP-LB-05")
def test_reloading_shows_all_three_reviews(observe, stage):
    def problem():
        outcomes = stage.rig.prober.probe(page(), "IAP-LB-05", RELOADS)
        wrong = [why for outcome in outcomes if (why := PAGE.problem(outcome))]
        if wrong:
            return wrong[0]
        bodies = [outcome.body for outcome in outcomes]
        seen = {"none" if "color=" not in body else "black" if STARS["black"] in body else "red" for body in bodies}
        return None if seen == set(STARS) else f"{RELOADS} reloads show only {', '.join(sorted(seen))} stars"

    observe("IAP-LB-05", f"{RELOADS} reloads show no stars, black stars and red stars, each at least once", problem)


@pytest.mark.control("IAP-LB-06")
def test_the_health_check_has_a_path_and_a_port(observe, stage):
    rig = stage.rig
    namespace = rig.overlay.namespace("iap-ingress")

    def problem():
        service = rig.cluster.get("v1", "Service", GATEWAY.app, namespace)
        ports = {port["name"]: port.get("nodePort") for port in service["spec"]["ports"]}
        if not ports.get("status-port"):
            return f"no node port of status-port: {ports}"
        pods = rig.cluster.objects("v1", "Pod", namespace, f"app={GATEWAY.app}")
        paths = {c["readinessProbe"]["httpGet"]["path"] for pod in pods for c in pod["spec"]["containers"]}
        if paths != {"/healthz/ready"}:
            return f"readiness paths are {paths}"
        return next(
            (outcome.summary for outcome in rig.prober.probe(READY, "IAP-LB-06") if outcome.status != 200), None
        )

    expected = "status-port has a node port, the readiness path is /healthz/ready, and it answers there"
    observe("IAP-LB-06", expected, problem)
