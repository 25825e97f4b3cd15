"""The egress tutorial: our suite in two processes, compared with a serial shell script generated from the suite.

The script goes through the same states of the mesh in the same order, by `kubectl apply` and `kubectl delete` of the
same manifests. Its checks are the tutorial's own `kubectl exec "$(kubectl get pod …)" -- curl …`, and the tutorial's
other commands (`ASKED`): the sidecar's clusters, the analysis, the proxies' logs, the restart.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import common, serial
from benchmarks.serial import MANIFESTS, Topic
from clients.model.case import Case
from clients.model.stage import Stage
from clients.proof.rig.rig import Rig

HEAD = r"""#!/bin/sh
set -eu
TAB=$(printf '\t')
k() { $KUBECTL "$@"; }
pod() { # namespace, label: the name of one
    k get pod -n "$1" -l "$2" -o 'jsonpath={.items[0].metadata.name}'
}
probe() { # namespace, app, container, words for curl
    namespace=$1 app=$2 container=$3
    shift 3
    k exec $shown "$(pod "$namespace" "app=$app")" -c "$container" -n "$namespace" -- \
        curl -s -o /dev/null -w '%{http_code}' "$@" <"$certificate" 2>/dev/null
}
shown='' certificate=/dev/null
check() { # id, expected, then as for probe: until it has come K times in a row
    id=$1 expected=$2 row=0 tries=0
    shift 2
    needed=$(awk -F "$TAB" -v id="$id" '$1 == id { print $2 }' "$FOLDER/confirmations")
    while [ "$row" -lt "${needed:?no K for $id}" ]; do
        tries=$((tries + 1))
        seen=$(probe "$@") || true
        if [ "$seen" = "$expected" ]; then row=$((row + 1)); else row=0; fi
        if [ "$tries" -gt 600 ]; then echo "$id: expected $expected, saw $seen" >&2; exit 1; fi
    done
    echo "$id $expected, $tries probes"
}
check_impostor() { # trust domain, namespace and app that the client claims to be, then as for check
    account=$(k get pod -n "$2" -l "app=$3" -o 'jsonpath={.items[0].spec.serviceAccountName}')
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=foreign -keyout "$FOLDER/foreign.key" \
        -out "$FOLDER/foreign.pem" -addext "subjectAltName=URI:spiffe://$1/ns/$2/sa/$account" 2>/dev/null
    openssl pkcs12 -export -in "$FOLDER/foreign.pem" -inkey "$FOLDER/foreign.key" -passout pass: \
        -out "$FOLDER/foreign.p12"
    shift 3
    shown=-i certificate=$FOLDER/foreign.p12
    check "$@"
    shown='' certificate=/dev/null
}
clusters() { # namespace, app
    $ISTIOCTL proxy-config cluster "$(pod "$1" "app=$2").$1" --direction outbound
}
analyze() { # namespace
    $ISTIOCTL analyze -n "$1"
}
logged() { # namespace, label, text: until the proxy has logged it
    tries=0
    until k logs "$(pod "$1" "$2")" -c istio-proxy -n "$1" --since=2m | grep -F "$3"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ]; then echo "$1: no $3 in the log" >&2; exit 1; fi
    done
}
restart() { # namespace, deployments: until the new pods are ready and the old ones gone
    namespace=$1
    shift
    k rollout restart deployment -n "$namespace" "$@"
    for name; do k rollout status deployment "$name" -n "$namespace" --timeout=180s; done
}
"""

GATEWAY = "istio-egress istio=egressgateway"
ASKED = {
    "egress-s1": ("clusters team-x test",),
    "egress-s2": ("clusters team-x test",),
    "egress-s3": ("analyze istio-egress", "logged team-x app=test example.com", f"logged {GATEWAY} example.com"),
    "egress-s4": ("analyze istio-egress",),
    "egress-s7": (f"logged {GATEWAY} '|example-com-originate-TLS|example.com'",),
    "egress-s8": ("analyze istio-egress", f"logged {GATEWAY} '|443||example.com'"),
}
"""Stage → the tutorial's commands after its requests."""
RESTARTED = {"egress-s9": ("restart team-x raw test",)}
"""Stage → deployments that the tutorial restarts before its requests."""


def script(rig: Rig, folder: Path) -> Path:
    """Writes it."""
    stages = sorted(((m.STAGE, EGRESS.cases(m)) for m in EGRESS.modules), key=lambda pair: _order(pair[0]))
    lines = [HEAD]
    environment = list(dict.fromkeys(path for stage, _ in stages for path in stage.environment))
    lines += [f'k apply -f "$FOLDER/manifests/{path}"' for path in environment]
    namespaces = " ".join(sorted(rig.overlay.namespaces))
    for name in namespaces.split():
        lines.append(f"k wait --for=condition=Available deployment --all -n {name} --timeout=180s")
    applied: list[str] = []
    for stage, cases in stages:
        lines += [f"# {stage.name}", *_change(rig, applied, list(stage.apply))]
        applied = list(stage.apply)
        lines += RESTARTED.get(stage.name, ())
        lines += [_check(rig, case) for case in cases]
        lines += ASKED.get(stage.name, ())
    lines += _change(rig, applied, [])
    lines += [f"k delete namespace {name} --wait=false" for name in namespaces.split()]
    lines += [f"k wait --for=delete namespace/{name} --timeout=180s" for name in namespaces.split()]
    path = folder / "egress.sh"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _order(stage: Stage) -> tuple[int, str]:
    number = re.search(r"-s(\d+)", stage.name)
    return (int(number[1]) if number else 0, stage.name)


def _change(rig: Rig, old: list[str], new: list[str]) -> Iterator[str]:
    """Commands from one state to the next: apply new and changed manifests, then delete objects that are in none."""
    kept = {key for path in new for key in _objects(rig, path)}
    yield from (f'k apply -f "$FOLDER/manifests/{path}"' for path in new if path not in old)
    for path in old:
        for kind, namespace, name in _objects(rig, path):
            if path not in new and (kind, namespace, name) not in kept:
                yield f"k delete {kind} {name} -n {namespace}"


def _objects(rig: Rig, path: str) -> list[tuple[str, str, str]]:
    text = (MANIFESTS / path).read_text(encoding="utf-8")
    found = rig.overlay.objects(text, path)
    return [(_kind(body), body["metadata"].get("namespace", ""), body["metadata"]["name"]) for body in found]


def _kind(body: dict[str, Any]) -> str:
    """The kind with its group: there are two kinds of Gateway."""
    group, slash, _ = body["apiVersion"].partition("/")
    return f"{body['kind']}.{group}" if slash else str(body["kind"])


def _check(rig: Rig, case: Case) -> str:
    probe, source = replace(case.probe, impostor_of=None), case.probe.source  # its certificate is made by the script
    request = rig.prober.request_for(probe, case.control)
    words = [source.namespace, source.app, source.container, "--max-time", f"{request.timeout_s:g}"]
    words += ["--connect-timeout", f"{request.connect_timeout_s:g}"]
    words += {"GET": [], "HEAD": ["-I"]}.get(request.method, ["-X", request.method])
    words += [word for name, value in request.headers for word in ("-H", f"{name}: {value}")]
    words += ["--connect-to", f"::{request.connect_to}"] if request.connect_to else []
    words += ["-k"] if request.insecure else []
    expected = "000" if case.expect.status is None else str(case.expect.status)
    if not (of := case.probe.impostor_of):
        return shlex.join(["check", case.id, expected, *words, request.url])
    words += ["--cert-type", "P12", "--cert", "/dev/stdin"]
    claimed = [case.probe.impostor_domain or "cluster.local", of.namespace, of.app]
    return shlex.join(["check_impostor", *claimed, case.id, expected, *words, request.url])


EGRESS = Topic(
    name="egress",
    controls="EGR-",
    title="The egress tutorial",
    compared="the EGR controls, both ways on a running testbed, from nothing applied to nothing left. Script: the same "
    "states in the same order by kubectl apply and delete, then for every probed case `kubectl exec … curl` in a loop "
    "until the expected status was seen K times in a row, K being the suite's own for that case; also the "
    "tutorial's istioctl proxy-config and analyze, kubectl logs and rollout restart. The suite does more: twins, logs "
    "of both proxies and of the external hosts for each case, state controls, a second restart, reports; its time "
    "includes its start and its clean-up",
    script=script,
)

if __name__ == "__main__":
    raise SystemExit(common.main(serial.arguments(EGRESS, __doc__), partial(serial.measure, EGRESS)))
