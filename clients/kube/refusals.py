"""Pods that the API server refuses, by the text of the refusal: how long that may last, and what to do about it.

A controller tries again and again, and says the same each time. What another object may still free passes in a moment;
all else ends a wait early, as no pod ever comes. Texts: Kubernetes, `plugin/pkg/admission` and OpenShift's own.
"""

from __future__ import annotations

from dataclasses import dataclass

DENIED = "denied the request"
"""In the answer of a webhook that refuses an object (Kubernetes, admission webhooks), which chooses the status."""
DEMANDED = "see what the cluster's policies for objects demand; [namespaces] and [pods] set labels, resources and more"
REFUSED_S = 10.0
"""How long a refusal may last: a binding that was just made, or the ids of a new namespace, take a moment."""
QUOTA_S = 30.0
"""The same for a quota that is used up: pods that are being deleted count until they have gone."""
_MAY_USE = (
    "let this identity use the constraint of pods.constraint (deploy/rbac), so that a run binds its accounts to it; or "
    "bind the group system:serviceaccounts to the ClusterRole system:openshift:scc:nonroot-v2"
)
_QUOTA = (
    "raise this quota, or exempt namespaces with the label meshproof.dev/run from it; [pods] requests and limits state "
    "what containers ask for"
)
_STATE = (
    "[pods] requests and limits state what it demands of the run's containers, and [pods] annotations of sidecars "
    "(sidecar.istio.io/proxyCPU, proxyCPULimit, proxyMemory, proxyMemoryLimit)"
)
_SECURITY = "set a lower level by [namespaces] labels, or install the mesh with Istio's CNI plug-in"


@dataclass(frozen=True)
class Refusal:
    """One kind.

    Attributes:
        text: in the message of each.
        lasts_s: ends a wait where it has lasted for so many seconds.
        hint: what to do.
    """

    text: str
    lasts_s: float
    hint: str


_CONSTRAINED = Refusal("unable to validate against any security context constraint", REFUSED_S, _MAY_USE)
ADMISSION = (
    Refusal("exceeded quota: ", QUOTA_S, _QUOTA),
    Refusal("failed quota: ", REFUSED_S, _STATE),
    Refusal(" usage per ", REFUSED_S, _STATE),
    Refusal("limit to request ratio per ", REFUSED_S, _STATE),
    Refusal("violates PodSecurity", REFUSED_S, _SECURITY),
    Refusal(DENIED, REFUSED_S, DEMANDED),
    Refusal("ValidatingAdmissionPolicy", REFUSED_S, DEMANDED),
)
"""By what the cluster demands of objects, not for want of a right; the status is often 403 as well."""
REFUSALS = (_CONSTRAINED, *ADMISSION)


def of(why: str) -> Refusal | None:
    """The kind that this text is of; None where it is no refusal, or one that may pass, of a webhook that is away."""
    if "is forbidden" not in why and DENIED not in why:
        return None
    return next((one for one in REFUSALS if one.text in why), None)
