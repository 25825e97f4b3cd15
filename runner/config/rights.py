"""What a run requests from the API server: the one table.

The roles in `deploy/rbac/`, README's table, the checks of `doctor` and the identity of the end-to-end tests use it;
`python -m runner.config.rbac` writes the files. `tests/e2e/test_rights.py` compares it with every request of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clients.mesh.capabilities.capabilities import CapabilityName
from clients.model.api_groups import GATEWAY_API, ISTIO_NETWORKING, ISTIO_SECURITY, ISTIO_TELEMETRY
from runner.config.fitting_settings import CONSTRAINT
from runner.config.kinds_read import ANALYZED, PRECHECKED, WATCHED
from runner.config.right import Condition, Right

RBAC = "rbac.authorization.k8s.io"
OPENSHIFT = "security.openshift.io"
ROOT_NAMESPACE = "istio-system"
LEASE_NAMESPACE = "default"
MAKES = ("get", "list", "create", "patch", "delete")
"""Verbs on objects that a run creates: server-side apply (`patch`, and `create` for a new object), search by label."""


ANALYZE = "controls of `istioctl analyze` are inconclusive where that program is there"

RIGHTS = (
    Right("", ("namespaces",), MAKES, "a run works in namespaces of its own"),
    Right("", ("serviceaccounts", "services", "configmaps"), MAKES, "the workloads of the suites; the mesh's own"),
    Right("apps", ("deployments",), MAKES, "the workloads of the suites; which mesh this is"),
    Right("batch", ("jobs",), (*MAKES, "watch"), "Jobs as clients, with both kinds of sidecar"),
    Right(
        "",
        ("pods",),
        (*MAKES, "deletecollection"),
        "probes are sent from pods; pod security is proven by pods, which are made and removed",
    ),
    # Since Kubernetes 1.35 an exec over a websocket is checked as `create` too.
    Right("", ("pods/exec",), ("get", "create"), "probes are curl in a pod"),
    Right("", ("pods/log",), ("get",), "proofs that a request arrived, or was refused and by what"),
    Right(
        ISTIO_SECURITY,
        ("peerauthentications", "requestauthentications", "authorizationpolicies"),
        MAKES,
        "the policies under test",
    ),
    Right(
        ISTIO_NETWORKING,
        ("gateways", "virtualservices", "destinationrules", "serviceentries", "sidecars"),
        MAKES,
        "routes of the front door, of the egress suite and of the shop",
    ),
    Right("networking.k8s.io", ("networkpolicies",), MAKES, "network policies of the egress suite"),
    Right(
        "",
        ("secrets",),
        (*MAKES, "watch"),
        "the certificate of the ingress gateway, whose Role grants get, list and watch: an identity can grant only "
        "what it may do itself",
    ),
    Right(RBAC, ("roles", "rolebindings"), MAKES, "the Role by which the ingress gateway reads its certificate"),
    Right(
        "admissionregistration.k8s.io",
        ("mutatingwebhookconfigurations",),
        ("list",),
        "which revisions of the mesh inject",
    ),
    Right(
        "coordination.k8s.io",
        ("leases",),
        ("get", "list", "create", "update", "delete"),
        "the Lease `meshproof` keeps a second run out; it is renewed by update",
        LEASE_NAMESPACE,
    ),
    Right(
        ISTIO_SECURITY,
        ("peerauthentications",),
        MAKES,
        "mesh-wide STRICT, PERMISSIVE and DISABLE",
        ROOT_NAMESPACE,
        Condition.MESH_WIDE,
    ),
    Right(
        ISTIO_TELEMETRY,
        ("telemetries",),
        MAKES,
        "access logs of the run's own namespaces, where the mesh writes none",
        condition=Condition.OPTIONAL,
        without="proofs that need such a log are of reduced grade, or skipped",
        reveals=(CapabilityName.ACCESS_LOG,),
    ),
    Right(
        ISTIO_NETWORKING,
        ("envoyfilters",),
        ("list",),
        "what of the root namespace reaches a run's namespaces",
        condition=Condition.OPTIONAL,
        without="EnvoyFilters of the root namespace are not reported",
    ),
    Right(
        GATEWAY_API,
        ("gateways", "httproutes"),
        MAKES,
        "the front door by Kubernetes' Gateway API",
        condition=Condition.OPTIONAL,
        without="controls of the Gateway API are inconclusive on a cluster that has it",
    ),
    Right(
        GATEWAY_API,
        ("gatewayclasses",),
        ("list",),
        "whether the mesh deploys gateways of that API",
        condition=Condition.OPTIONAL,
        without="controls of the Gateway API are skipped",
        reveals=(CapabilityName.GATEWAY_API,),
    ),
    Right(
        "",
        ("nodes",),
        ("get", "list"),
        "a node's address, where a gateway has no other; a node pool for gateways; whether there is a load balancer; "
        "what nodes run, for the record",
        condition=Condition.OPTIONAL,
        without="gateways with a node port only are out of reach; controls of node pool and load balancer are skipped; "
        "a comparison of two nights does not know of another node image",
        reveals=(CapabilityName.LOAD_BALANCER, CapabilityName.NODE_POOL),
    ),
    Right(
        "",
        ("pods/portforward",),
        ("get", "create"),
        "the last way in to a gateway, where no address of it can be reached from here",
        condition=Condition.OPTIONAL,
        without="such a gateway is out of reach, and its cases are inconclusive",
    ),
    Right(
        "apps",
        ("daemonsets",),
        ("list",),
        "whether an agent enforces network policies (Cilium, GKE Dataplane V2, Antrea)",
        "kube-system",
        Condition.OPTIONAL,
        "where Calico's own kinds are absent, controls of network policies are skipped",
        (CapabilityName.NETWORK_POLICY,),
    ),
    *(
        Right(
            group,
            resources,
            ("list", "watch"),
            "`istioctl analyze`, which looks at the whole mesh",
            "",
            Condition.OPTIONAL,
            ANALYZE,
        )
        for group, resources in ANALYZED.items()
    ),
    *(
        Right(
            group,
            resources,
            ("list",),
            "the prechecks of an upgrade: objects of which another version of Istio reads another version",
            condition=Condition.OPTIONAL,
            without="the answer of `upgrade` is `not known` where the cluster has these kinds",
        )
        for group, resources in PRECHECKED.items()
    ),
    *(
        Right(
            group,
            resources,
            ("watch",),
            "waiting until they are ready, or gone, without asking again and again",
            condition=Condition.OPTIONAL,
            without="they are read again every quarter of a second instead",
        )
        for group, resources in WATCHED.items()
    ),
    Right(
        OPENSHIFT,
        ("securitycontextconstraints",),
        ("use",),
        "OpenShift: pods with fixed user ids, which a RoleBinding in each of a run's namespaces lets its accounts have",
        condition=Condition.OPTIONAL,
        without="no pod of a run starts there, unless all service accounts may have such ids",
        names=(CONSTRAINT,),
    ),
    Right(
        "",
        ("events",),
        ("list",),
        "diagnostics of a failure",
        condition=Condition.OPTIONAL,
        without="a failure's diagnostics have no events",
    ),
)


def wanted(*, mesh_wide: bool, root: str = ROOT_NAMESPACE) -> tuple[Right, ...]:
    """The rights of a run that may change the whole mesh, or may not.

    Args:
        root: the mesh's root namespace, where the right on the whole mesh is needed.
    """
    rights = (right for right in RIGHTS if mesh_wide or right.condition is not Condition.MESH_WIDE)
    return tuple(replace(one, namespace=root) if one.condition is Condition.MESH_WIDE else one for one in rights)


def made() -> dict[tuple[str, str], str]:
    """(group, resource) of everything that a run can have created → its only namespace; empty for any."""
    rights = [right for right in RIGHTS if {"list", "create", "delete"} <= set(right.verbs)]
    rights.sort(
        key=lambda right: right.namespace, reverse=True
    )  # the right for any namespace comes last, and overwrites
    return {(right.group, resource): right.namespace for right in rights for resource in right.resources}


def unknown(capability: str, *, without: Sequence[Right]) -> str:
    """The missing rights without which a capability cannot be detected; empty where there are none."""
    missing = [right for right in without if capability in right.reveals]
    missing_rights = (
        f"{' and '.join(right.verbs)} {right.kinds}" + (f" in {right.namespace}" if right.namespace else "")
        for right in missing
    )
    return f"not known: may not {'; may not '.join(missing_rights)}" if missing else ""
