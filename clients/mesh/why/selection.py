"""Policies that do not reach the workload that they are meant for: revision, labels, namespace."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from clients.kube.fields import label_selector
from clients.kube.labels import GATEWAY_NAME_LABEL
from clients.mesh.why.objects import DEFAULT_REVISION, PEER, Policy, WorkloadView
from clients.mesh.why.reason import Effect, Reason, lost, named
from clients.mesh.why.view import PolicyView


def odd_form(view: PolicyView) -> list[Reason]:
    """A field of an object has another type than the API's: nothing else is said of that object."""
    return [
        Reason(
            f"{kind} {'/'.join(filter(None, (namespace, name)))}: {wrong}",
            frozenset(Effect),
            about=(kind, namespace, name),
        )
        for (kind, namespace, name), wrong in view.odd
    ]


def other_revision(view: PolicyView) -> list[Reason]:
    """A policy has the label `istio.io/rev` of a control plane that does not configure its workloads' proxies."""
    return [reason for policy in view.policies if policy.revision for reason in _unread(view, policy)]


def _unread(view: PolicyView, policy: Policy) -> Iterator[Reason]:
    label = f"{policy} carries istio.io/rev={policy.revision}"
    selected = [one for one in view.selected(policy) if one.injected is not False]
    blind = [one for one in selected if view.reads(one, policy) is False]
    if blind:
        revisions = sorted({one.revision or DEFAULT_REVISION for one in blind})
        text = f"{label}; the proxies of {named(blind)} run revision {', '.join(revisions)} and never see it"
        yield Reason(text, lost(policy), policy, frozenset(blind))
    elif selected and all(not one.revision for one in selected):
        text = f"{label}; only proxies of that revision see it"
        yield Reason(text, lost(policy), policy, frozenset(selected))


def selects_nothing(view: PolicyView) -> list[Reason]:
    """No workload of its namespace has the labels of the policy's selector."""
    return [
        Reason(f"{policy} selects no workload: {_nearest(view, policy)}", lost(policy), policy)
        for policy in _without_workload(view)
        if not _elsewhere(view, policy)
    ]


def other_namespace(view: PolicyView) -> list[Reason]:
    """The workload that the policy's selector matches is in another namespace than the policy."""
    return [
        Reason(
            f"{policy} selects no workload: {_labels(policy.selector)} is in {named(one.namespace for one in there)}, "
            f"and the policy in {policy.namespace}",
            lost(policy),
            policy,
            frozenset(there),
        )
        for policy in _without_workload(view)
        if (there := _elsewhere(view, policy))
    ]


def _without_workload(view: PolicyView) -> Iterator[Policy]:
    """Policies with a selector that nothing matches, in namespaces whose workloads are known."""
    if "Pod" not in view.known:
        return
    for policy in view.policies:
        if not policy.selector or policy.attached or GATEWAY_NAME_LABEL in policy.selector or view.selected(policy):
            continue
        if policy.kind == PEER and policy.namespace == view.root:
            continue  # see `peers.root_with_selector`
        if policy.namespace == view.root or any(one.namespace == policy.namespace for one in view.workloads):
            yield policy


def _elsewhere(view: PolicyView, policy: Policy) -> list[WorkloadView]:
    """Workloads of other namespaces that the selector matches."""
    if policy.namespace == view.root:
        return []
    there = [one for one in view.workloads if one.namespace != policy.namespace and one.has(policy.selector)]
    here = [one for one in view.workloads if one.namespace == policy.namespace]
    if any(_close(policy.selector, one.labels) for one in here):
        return []  # a misspelt label of a workload in its own namespace is likelier
    return there


def _nearest(view: PolicyView, policy: Policy) -> str:
    """`app=httpbim matches none in mtls-service (httpbin has app=httpbin)`."""
    here = [one for one in view.workloads if policy.namespace in (one.namespace, view.root)]
    where = "the mesh" if policy.namespace == view.root else policy.namespace
    text = f"{_labels(policy.selector)} matches none in {where}"
    for one in here:
        if close := _close(policy.selector, one.labels):
            return f"{text} ({one.name} has {close})"
    return text


def _close(selector: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """A label of a workload that the selector nearly has: another key with the value, or a value spelled like it."""
    for key, value in selector.items():
        if labels.get(key) == value:
            continue
        if key in labels and difflib.get_close_matches(value, [labels[key]], 1, 0.75):
            return f"{key}={labels[key]}"
    return ""


def _labels(selector: Mapping[str, str]) -> str:
    return label_selector(dict(sorted(selector.items())))
