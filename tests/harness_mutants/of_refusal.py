"""Mutants of the proof of a denial: where it was decided, and that the backend did not get the request."""

from __future__ import annotations

from tests.harness_mutants.mutant import PROOF, HarnessMutant

DENIAL = "clients/proof/steps/denial.py"
DECIDED = "clients/proof/steps/decided.py"
ANSWERED = "clients/proof/steps/answered.py"

MUTANTS = (
    HarnessMutant(
        "a-datagram-passes-the-sidecar",
        "clients/proof/stage/client_reach.py",
        'return probe.source.container != SIDECAR and not probe.url.startswith(f"{DATAGRAM}://")',
        "return probe.source.container != SIDECAR",
        PROOF,
    ),
    HarnessMutant(
        "what-no-policy-states-may-refuse",
        DECIDED,
        "for pod in (pods if by_policy else ())}",
        "for pod in (pods if by_policy and at(path.receiving, state) else ())}",
    ),
    HarnessMutant(
        "a-mesh-without-log-has-seen-no-connection",
        DECIDED,
        "    if behind and not writes:\n",
        "    if not (behind or writes):\n",
    ),
    HarnessMutant(
        "a-stated-client-is-no-matter",
        "clients/proof/logs/strangers.py",
        'stated = port == "0" and',
        'stated = port == "" and',
    ),
    HarnessMutant(
        "one-connection-stands-for-all",
        "clients/proof/logs/log_entries.py",
        "return len(requests) - (int(len(requests) * MOST_FROM_OTHER_PORTS) if logged.tcp else 0)",
        "return min(1, len(requests)) if logged.tcp else len(requests)",
    ),
    HarnessMutant(
        "what-no-server-answered-did-not-arrive",
        DENIAL,
        "for one in own if one.matched or unserved(one)}",
        "for one in own if one.matched}",
    ),
    HarnessMutant(
        "a-gateway-may-answer-users-itself",
        "clients/proof/steps/like_users.py",
        "if len(entries) == 1 and is_wrong(entries[0])]",
        "if len(entries) > 1 and is_wrong(entries[0])]",
    ),
    HarnessMutant(
        "no-twin-is-needed",
        DENIAL,
        "        return _from_own_pod(proving) if case.refuses else []\n",
        "        return []\n",
    ),
    HarnessMutant(
        "the-twin-is-not-run",
        DENIAL,
        "proving.twin, attempts = _twin(proving, case.twin)",
        'proving.twin, attempts = TwinProof("", Verdict.PASS, "200", "200", ""), []',
    ),
    HarnessMutant(
        "every-twin-passes",
        DENIAL,
        "verdict = Verdict.PASS if seen.converged else Verdict.FAIL if seen.conclusive else Verdict.INCONCLUSIVE",
        "verdict = Verdict.PASS",
    ),
    HarnessMutant(
        "nothing-is-sent-after-the-twin",
        DENIAL,
        "missed = [pair for pair in zip(after, outcomes, strict=True) if not pair[0].matched]",
        "missed = list(zip(after, outcomes, strict=True))[:0]",
    ),
    HarnessMutant(
        "the-backend-is-always-silent", DENIAL, "if arrived := sorted(read.reached(denied)):", "if arrived := []:"
    ),
    HarnessMutant("an-unread-log-is-silent", DENIAL, "    if read.missing:\n", "    if read.missing and not read:\n"),
    HarnessMutant(
        "a-twin-elsewhere-will-do",
        DENIAL,
        "if twin is None or not _reaches(rig, twin, backends):",
        "if twin is None:",
    ),
    HarnessMutant(
        "a-lost-probe-after-the-twin-blames-the-mesh",
        DENIAL,
        "verdict = FindingVerdict.FAIL if wrong.ran else FindingVerdict.INCONCLUSIVE",
        "verdict = FindingVerdict.FAIL",
    ),
    HarnessMutant(
        "a-late-authorization-server-blames-the-mesh",
        DENIAL,
        "if is_late(wrong, outcome, case.expect) and",
        "if unserved(wrong) and",
    ),
    HarnessMutant("an-outside-log-is-not-read", DENIAL, "if arrived := external.arrived(denied):", "if arrived := []:"),
    HarnessMutant(
        "an-outside-log-that-is-not-there-is-silent",
        DENIAL,
        "        if external.log is None:\n            return [not_checked(",
        "        if external.log is None and not denied:\n            return [not_checked(",
    ),
    HarnessMutant(
        "a-server-that-is-down-lets-no-request-in",
        "clients/proof/steps/own_pod.py",
        "return Verdict.PASS if wrong is None else Verdict.INCONCLUSIVE",
        "return Verdict.PASS",
    ),
    HarnessMutant(
        "a-way-that-was-never-open-is-refused",
        "clients/proof/steps/own_pod.py",
        "return baseline is not None and not baseline.problem and not baseline.expect.refuses",
        "return True",
    ),
    HarnessMutant(
        "a-leak-is-not-searched-for",
        "clients/proof/steps/leak.py",
        "wanted = probes_for_leak(policy.leak) if policy.leak else 0",
        "wanted = 0",
    ),
    HarnessMutant(
        "a-request-that-leaks-is-one-more-refused",
        "clients/proof/steps/leak.py",
        "            if attempt.matched:\n",
        "            if attempt.ran:\n",
    ),
    HarnessMutant("unknown-arrivals-are-known", "clients/proof/steps/counted.py", "        unknown += strange\n", ""),
    HarnessMutant(
        "copies-are-not-looked-for",
        "clients/proof/steps/counted.py",
        "    if text := copies.unlogged(proving, path, since):",
        "    if text := path.keeps_ids and since < 0 and str(path):",
    ),
    HarnessMutant(
        "other-ports-explain-any-number",
        DECIDED,
        "if answer.others or answer.missing > len(question.requests) * MOST_FROM_OTHER_PORTS:",
        "if answer.others:",
        PROOF,
    ),
    HarnessMutant(
        "a-decision-elsewhere-will-do",
        DECIDED,
        "    if complete:\n        return Finding(DECISION",
        "    if False:\n        return Finding(DECISION",
    ),
    HarnessMutant(
        "one-decided-request-is-enough",
        DECIDED,
        "    if not answer.missing:\n        policies",
        "    if answer.decided:\n        policies",
    ),
    HarnessMutant(
        "any-policy-may-have-refused",
        "clients/proof/logs/mechanism.py",
        "and (names is None or policy in names)",
        "and (names is None or policy)",
    ),
    HarnessMutant(
        "what-was-sent-on-was-refused",
        "clients/proof/logs/mechanism.py",
        "return (not sent_to or not entry.protocol) and policy is not None",
        "return policy is not None",
    ),
    HarnessMutant(
        "a-proxy-behind-the-network-may-see-it",
        DECIDED,
        "    if seen:\n        came",
        "    if not seen and not behind:\n        came",
    ),
    HarnessMutant(
        "an-address-in-brackets-is-no-backends",
        "clients/proof/logs/mechanism.py",
        "sent_to = host_of(entry.upstream_host) if",
        'sent_to = entry.upstream_host.rpartition(":")[0] if',
    ),
    HarnessMutant(
        "a-pod-has-one-address",
        "clients/kube/pods.py",
        "for one in (pod.ip, *pod.more_ips) if one)",
        "for one in (pod.ip,) if one)",
    ),
    HarnessMutant(
        "any-upstream-is-the-application",
        ANSWERED,
        "return bool(host) and (not pod.addresses or host in pod.addresses or is_loopback(host))",
        "return bool(host)",
    ),
    HarnessMutant(
        "who-has-a-copy-has-answered",
        "clients/proof/steps/sent_elsewhere.py",
        "    return bool(host) and by_route and host not in known",
        "    return False",
    ),
    HarnessMutant(
        "an-external-host-is-wherever-the-gateway-sends-to",
        "clients/proof/steps/sent_elsewhere.py",
        "    return path.proxies(Proxy.GATEWAY), frozenset(rig.external.addresses(server))",
        "    return (), frozenset()",
    ),
    HarnessMutant(
        "the-twin-may-be-answered-by-anything",
        ANSWERED,
        "if case.twin is not None and proving.twin_passed:",
        "if case.twin is None and proving.twin_passed:",
    ),
    HarnessMutant(
        "an-external-host-has-any-address",
        ANSWERED,
        "    if elsewhere:\n        text",
        "    if elsewhere and not own:\n        text",
    ),
    HarnessMutant(
        "a-client-that-reaches-nothing-is-refused",
        "clients/proof/steps/source_twins.py",
        "    if proof.verdict is Verdict.PASS:\n",
        "    if proof:\n",
    ),
)
