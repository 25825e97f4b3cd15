"""The injected application under pod security: Istio's CNI plug-in redirects its traffic, and no pod needs NET_ADMIN.

Both namespaces of the page accept mutual TLS only, so the page is complete only if sidecars carry its requests.
"""

from __future__ import annotations

import time

import pytest

from clients.model.case import Case
from clients.model.errors import ClusterError
from clients.model.expect import body_contains, body_lacks, has_header, reset, status
from clients.model.polling import poll
from clients.model.stage import Settle, Stage
from suites.iap.admission import POD_SECURITY, refusal
from suites.iap.workloads import ELSEWHERE, ENVIRONMENT, OUTSIDE, RATINGS, TITLE

HOME = "bookinfo-restricted"
LABEL = "app=productpage"
INSIDE = f"http://productpage.{HOME}:9080/productpage"
DETAILS, REVIEWS = "http://details.bookinfo:9080/details/0", "http://reviews.bookinfo:9080/reviews/0"
PLAINTEXT = ELSEWHERE.get(INSIDE)

STAGE = Stage(
    "iap-pod-security-mesh",
    title="Restricted pod security: injected pods run, by Istio's CNI plug-in",
    environment=(*ENVIRONMENT, "iap/restricted"),
    apply=("iap/restricted-strict",),
    needs=frozenset({"istio-cni"}),
    settle=(Settle(PLAINTEXT, reset()),),
)

WHOLE = status(
    200, TITLE, has_header("x-served-by", "productpage"), body_contains("Shakespeare"), body_lacks("is not available")
)
"""The page with the parts that it fetches from `details` and `reviews`, in another namespace."""

CASES = [
    Case(
        "IAP-PSP-01",
        OUTSIDE.get("http://restricted.example.com/productpage", behind=f"productpage.{HOME}"),
        WHOLE,
        # the level is enforced in one namespace, which belongs to the run
        substitutes=(("mesh-wide", "istio-cni"),),
    ),
    Case("X-IAP-PSP-02", PLAINTEXT, reset(), before=WHOLE, twin=RATINGS.get(INSIDE), twin_expect=WHOLE),
    Case(
        "X-IAP-PSP-02",
        ELSEWHERE.get(DETAILS),
        reset(),
        before=status(200),
        twin=RATINGS.get(DETAILS),
        variant="what the page fetches",
    ),
    Case(
        "X-IAP-PSP-02",
        ELSEWHERE.get(REVIEWS),
        reset(),
        before=status(200),
        twin=RATINGS.get(REVIEWS),
        variant="what else it fetches",
    ),
]


@pytest.fixture(scope="module")
def restarted(stage):
    """The page's new pod after its old one was deleted: the namespace admitted it like any new pod."""
    rig = stage.rig
    namespace = rig.overlay.namespace(HOME)
    before = [pod.name for pod in rig.cluster.pods(namespace, LABEL)]
    rig.cluster.delete("v1", "Pod", before[0], namespace)

    def there():
        pods = rig.cluster.pods(namespace, LABEL)
        ready = {pod.name for pod in pods if pod.ready}
        return ready == {pod.name for pod in pods} - {before[0]} and not ready <= set(before)

    if not poll(there, time.monotonic() + rig.applier.timeout_s):
        raise ClusterError(f"no new pod of the page is ready in {namespace}", "see the events there")
    rig.forget()
    return next(pod for pod in rig.cluster.pods(namespace, LABEL) if pod.name not in before)


@pytest.mark.control("X-IAP-PSP-01")
def test_a_restarted_pod_has_its_sidecar_and_no_access_to_the_node(observe, stage, restarted):
    rig = stage.rig
    [*greedy, modest] = rig.applier.load(["iap/pods/in-restricted.yaml"])

    def problem():
        body = rig.cluster.get("v1", "Pod", restarted.name, restarted.namespace)
        containers = [*body["spec"].get("initContainers", ()), *body["spec"]["containers"]]
        if not restarted.injected or len(restarted.containers) != 2:
            return f"{restarted} is not 2/2: {', '.join(restarted.containers)}"
        if asking := [one["name"] for one in containers if one["securityContext"]["capabilities"].get("add")]:
            return f"containers with capabilities: {', '.join(asking)}"
        for item in greedy:
            if POD_SECURITY not in (why := refusal(rig, item)):
                return f"{item}, which asks for NET_ADMIN or to run as root: {why or 'admitted'}"
        return f"{modest}: {why}" if (why := refusal(rig, modest)) else None

    expected = (
        "2/2 without any capability, in a namespace that refuses a pod with NET_ADMIN or as root and admits one without"
    )
    observe("X-IAP-PSP-01", expected, problem)


@pytest.mark.usefixtures("restarted")
def test_case(case, prove):
    prove(case)
