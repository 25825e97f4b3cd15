"""Before any configuration: the gateway, the teams' workloads, the scope of a proxy, and what gets out.

The mesh allows all outgoing traffic by default. Where the network allows only that of gateways, the network decides.
"""

from __future__ import annotations

import pytest

from clients.mesh import proxyconfig, sidecar
from clients.model.case import Case
from clients.model.cluster_domain import in_domain
from clients.model.decision import Proxy
from clients.model.errors import AccessError
from clients.model.expect import body_contains, has_header, received, reset, status
from clients.model.log_expectations import AccessLogExpectation, ServerLogExpectation
from clients.model.stage import Settle, Stage
from suites.egress.workloads import (
    DATAGRAM_AT_DNS,
    ELSEWHERE,
    ENVIRONMENT,
    EXAMPLE,
    EXAMPLE_DATAGRAM,
    EXAMPLE_TLS,
    GATEWAY_NODE,
    OTHER_PORTS,
    OWN_TEAM,
    RAW_X,
    S1,
    SHUT_ADDRESS,
    TEST_X,
    UNANSWERED_AFTER_S,
    shut,
    unanswered,
)

STAGE = Stage(
    "egress-s1",
    title="Before any egress configuration: only gateways get past the network",
    environment=ENVIRONMENT,
    apply=S1,
    settle=(Settle(RAW_X.get(OWN_TEAM), reset(), before=status(200)),),  # STRICT is in force
    reachable=(TEST_X.get(OWN_TEAM), RAW_X.get("http://plain.team-x/ip")),
)

BY_ENVOY = has_header("server", "envoy")
CONNECT_FAILED = AccessLogExpectation(Proxy.CLIENT, cluster="PassthroughCluster", flags=frozenset({"UF", "URX"}))
FROM_GATEWAY_NODE = GATEWAY_NODE.get(EXAMPLE)
BLOCK = frozenset({"external-block"})
SUBSTITUTES_OF_NODES = (("node-pool", "external-block"),)
"""A pod at a gateway's address substitutes for one on a gateway's node."""

CASES = [
    Case(
        "EGR-FW-01",
        FROM_GATEWAY_NODE,
        status(200),
        arrival=ServerLogExpectation(GATEWAY_NODE, tls=False),
        substitutes=SUBSTITUTES_OF_NODES,
        variant="http",
    ),
    Case(
        "EGR-FW-01",
        GATEWAY_NODE.get(EXAMPLE_TLS),
        status(200),
        arrival=ServerLogExpectation(GATEWAY_NODE, tls=True, sni="example.com"),
        substitutes=SUBSTITUTES_OF_NODES,
        variant="https",
    ),
    Case(
        "EGR-BASE-01",
        TEST_X.get(EXAMPLE, timeout_s=15.0),
        status(503, body_contains("upstream connect error"), BY_ENVOY),
        twin=FROM_GATEWAY_NODE,
        logged=(CONNECT_FAILED,),
        needs=BLOCK,
    ),
    Case(
        "X-EGR-FIREWALL",
        RAW_X.get(EXAMPLE, resolve=f"{SHUT_ADDRESS}:80"),
        shut(),
        twin=FROM_GATEWAY_NODE,
    ),
    *(
        Case(
            "X-EGR-FIREWALL-PORTS",
            RAW_X.get(url, resolve=f"{SHUT_ADDRESS}:{port}"),
            shut(),
            twin=GATEWAY_NODE.get(url),
            needs=needs,
            variant=str(port),
        )
        for port, url, needs in OTHER_PORTS
    ),
    *(
        Case(
            "X-EGR-FIREWALL-UDP",
            RAW_X.udp(to, resolve=f"{SHUT_ADDRESS}:{port}", timeout_s=UNANSWERED_AFTER_S),
            unanswered(),
            twin=GATEWAY_NODE.udp(to),
            twin_expect=received(),
            needs=ELSEWHERE,
            variant=variant,
        )
        for to, port, variant in ((EXAMPLE_DATAGRAM, 443, ""), (DATAGRAM_AT_DNS, 53, "port of DNS"))
    ),
]

POOL = "cloud.google.com/gke-nodepool"
TOLERATED = {"key": "dedicated", "operator": "Equal", "value": "gateway"}
GATEWAY_PORTS = {80: 8080, 443: 8443}
REVISION = "istio.io/rev"


def test_case(case, prove):
    prove(case)


@pytest.mark.control("EGR-GW-01")
def test_gateway_service_maps_its_ports(observe, stage):
    def problem():
        namespace = stage.rig.overlay.namespace("istio-egress")
        service = stage.rig.cluster.get("v1", "Service", "istio-egressgateway", namespace)
        deployment = stage.rig.cluster.get("apps/v1", "Deployment", "istio-egressgateway", namespace)
        if service is None or deployment is None:
            return "no Service or no Deployment istio-egressgateway"
        ports = {port["port"]: port["targetPort"] for port in service["spec"]["ports"]}
        if not ports.items() >= GATEWAY_PORTS.items():
            return f"the ports are {ports}"
        template = deployment["spec"]["template"]
        if template["metadata"]["annotations"].get("inject.istio.io/templates") != "gateway":
            return "the pods are not injected by the gateway template"
        account = template["spec"].get("serviceAccountName", "default")
        return "the pods run as the default service account" if account == "default" else None

    observe("EGR-GW-01", "80 to 8080, 443 to 8443; an account of its own; injection template gateway", problem)


@pytest.mark.control("EGR-TEST-01")
def test_workload_is_injected_and_namespaces_are_labelled(observe, stage):
    def problem():
        for team in ("x", "y"):
            name = stage.rig.overlay.namespace(f"team-{team}")
            labels = stage.rig.cluster.get("v1", "Namespace", name)["metadata"]["labels"]
            if labels.get("team") != team:
                return f"{name} has team={labels.get('team')}"
            by_revision = bool(stage.rig.overlay.revision)
            if (labels.get("istio-injection") == "enabled") is by_revision or (REVISION in labels) is not by_revision:
                return f"{name} is not labelled for injection in one way: {labels}"
        return pods_problem(stage, "test", injected=True)

    expected = "Running, every container ready, with istio-proxy; team=x and team=y; labelled for injection"
    observe("EGR-TEST-01", expected, problem)


@pytest.mark.control("EGR-TEST-02")
def test_pod_that_opts_out_has_no_sidecar(observe, stage):
    expected = "pod raw in team-x Running and ready, without istio-proxy"
    observe("EGR-TEST-02", expected, lambda: pods_problem(stage, "raw", injected=False))


@pytest.mark.control("EGR-SIDECAR-01")
def test_without_a_scope_the_proxy_knows_the_whole_mesh(observe, stage):
    def problem():
        known = proxyconfig.clusters(sidecar.config_dump(stage.rig.cluster, stage.rig.workloads.pods(TEST_X)[0]))
        gateway = stage.rig.overlay.host("istio-egressgateway.istio-egress.svc.cluster.local")
        lacks = [] if any(name.endswith(f"|{gateway}") for name in known) else [gateway]
        for namespace in ("kube-system", stage.rig.mesh.control_namespace):
            hosts = services_in(stage, namespace)
            if hosts and not any(name.endswith(f"|{host}") for name in known for host in hosts):
                lacks.append(f"any of {', '.join(hosts)}")
        return f"no cluster of {', '.join(lacks)}" if lacks else None

    expected = "outbound clusters of the egress gateway and of services of kube-system and of the mesh's own namespace"
    observe("EGR-SIDECAR-01", expected, problem)


@pytest.mark.control("EGR-NODE-01")
def test_gateway_nodes_are_tainted(observe, stage):
    def problem():
        nodes = stage.rig.cluster.objects("v1", "Node", labels=f"{POOL}=gateway")
        wanted = {"key": "dedicated", "value": "gateway", "effect": "NoSchedule"}
        bare = [n["metadata"]["name"] for n in nodes if wanted not in n["spec"].get("taints", ())]
        return "no gateway node" if not nodes else f"not tainted: {', '.join(bare)}" if bare else None

    observe("EGR-NODE-01", "each node of the pool: dedicated=gateway:NoSchedule", problem)


@pytest.mark.control("EGR-NODE-02")
def test_gateway_runs_on_a_gateway_node(observe, stage):
    def problem():
        for pod in pod_objects(stage, "istio-egress", stage.rig.gateway.label):
            name, spec = pod["metadata"]["name"], pod["spec"]
            node = stage.rig.cluster.get("v1", "Node", spec["nodeName"])
            if node["metadata"]["labels"].get(POOL) != "gateway":
                return f"{name} is on {spec['nodeName']}"
            if not any(TOLERATED.items() <= toleration.items() for toleration in spec.get("tolerations", ())):
                return f"{name} does not tolerate dedicated=gateway"
        return None

    observe("EGR-NODE-02", "every pod of the gateway on a node of the pool, which it tolerates", problem)


@pytest.mark.control("EGR-NODE-03")
def test_applications_stay_off_the_gateway_nodes(observe, stage):
    def problem():
        for pod in pod_objects(stage, "team-x", "app=test"):
            node = stage.rig.cluster.get("v1", "Node", pod["spec"]["nodeName"])
            if node["metadata"]["labels"].get(POOL) == "gateway":
                return f"{pod['metadata']['name']} is on the gateway node {pod['spec']['nodeName']}"
        return None

    observe("EGR-NODE-03", "the test pod is on no node of the gateway pool", problem)


def services_in(stage, namespace):
    """Host names of a namespace's Services; none in that of a control plane that is elsewhere, or its provider's."""
    try:
        found = stage.rig.cluster.objects("v1", "Service", namespace)
    except AccessError:
        return []
    names = (one["metadata"]["name"] for one in found if one["spec"].get("ports"))
    return [in_domain(f"{name}.{namespace}.svc.cluster.local", stage.rig.mesh.cluster_domain) for name in names]


def pod_objects(stage, namespace, labels):
    """The pods as the API server has them."""
    return stage.rig.cluster.objects("v1", "Pod", stage.rig.overlay.namespace(namespace), labels=labels)


def pods_problem(stage, app, *, injected):
    """The first problem of an app's pods in team-x; None when there is none."""
    pods = stage.rig.cluster.pods(stage.rig.overlay.namespace("team-x"), f"app={app}")
    if not pods:
        return f"no pod of {app}"
    for pod in pods:
        if not pod.ready or pod.phase != "Running":
            return f"pod {pod} is {pod.phase}, ready: {pod.ready}"
        if pod.injected is not injected:
            return f"pod {pod} has containers {', '.join(pod.containers)}"
    return None
