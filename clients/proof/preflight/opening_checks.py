"""What can be proven where the cluster refuses what a run sets against the mesh as it was found, kind by kind."""

from __future__ import annotations

from clients.proof.preflight.shown import CheckName, Shown, Tried

_EXEMPT = "exempt namespaces with the label meshproof.dev/run from what refuses it"


def refused(kind: str, why: str) -> Tried | Shown:
    """What follows from a refusal.

    Without PERMISSIVE the mesh takes no plaintext, without a Telemetry proofs go without logs; both leave the rest.
    Without the others no stage begins from the state that it states.

    Args:
        kind: of the refused objects.
        why: the refusal; it names what refuses, for instance an admission webhook.
    """
    if kind == "PeerAuthentication":
        detail = f"the mesh takes none, and PERMISSIVE is refused: {why}"
        return Shown((Tried(CheckName.MODE, False, detail, _EXEMPT),), permissive=False, plaintext_client=False)
    if kind == "Telemetry":
        hint = f"{_EXEMPT}, or set meshConfig.accessLogFile to /dev/stdout"
        return Shown((Tried(CheckName.LOGS, False, f"a Telemetry is refused: {why}", hint),), logs=False)
    detail = f"the {kind} that a run needs in its namespaces is refused: {why}"
    return Tried(CheckName.OPENING, False, detail, _EXEMPT, needed=True, blocks=True)
