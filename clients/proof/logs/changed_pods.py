"""Whether the pods whose logs are read are those that a case's requests came to.

Logs are read after the requests were sent. A pod that was ready meanwhile and is not any more (evicted, replaced, or
its readiness probe failed for a moment on a busy node) may have had some of them, and so may a new pod of a gateway.
So what the logs of the others lack is no proof: neither that a request was not let in, nor that the mesh did not refuse
it.
"""

from __future__ import annotations

from clients.kube.pods import Pod
from clients.model.errors import MeshproofError
from clients.model.evidence import Finding, FindingVerdict
from clients.model.probe import Probe
from clients.proof.proving import ProvingCase, inconclusive


def left(proving: ProvingCase, probe: Probe) -> list[Pod]:
    """Pods that the probe passes or reaches, that were ready since the case began, and are not now, not by this run.

    Raises:
        MeshproofError: they cannot be listed.
    """
    gone = proving.rig.workloads.gone(probe, proving.began)
    return [pod for pod, ready_at in gone.items() if ready_at > proving.rig.settled_at(pod.namespace)]


def why(proving: ProvingCase, probe: Probe) -> str:
    """Which pods have changed since the case began, in words; empty where they are the same."""
    try:
        gone, new = left(proving, probe), proving.rig.workloads.new_doors(probe)
    except MeshproofError as error:
        return error.message
    texts = [f"{pod} was ready while requests were sent, and is not any more" for pod in gone]
    texts += [f"{pod} was not known to take requests in" for pod in new]
    return f"{'; '.join(texts[:3])}: its log is not known to lack them" if texts else ""


def absent(proving: ProvingCase, probe: Probe, name: str, text: str) -> Finding:
    """A fail for want of an entry; `inconclusive` where a pod that is not looked at may have it."""
    changed = why(proving, probe)
    return inconclusive(name, f"{text}; {changed}") if changed else Finding(name, text, FindingVerdict.FAIL)
