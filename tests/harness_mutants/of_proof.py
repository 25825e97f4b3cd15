"""Mutants of the other proofs: twins, tables, stages, markers, what is in force, what was sent."""

from __future__ import annotations

from tests.harness_mutants.mutant import HarnessMutant

TRACE = "clients/proof/steps/trace.py"
PROVE = "clients/proof/prove.py"
MARKERS = "clients/proof/stage/markers.py"

MUTANTS = (
    HarnessMutant(
        "what-another-client-changed-is-as-applied",
        "clients/proof/in_force.py",
        "    if found:\n        return inconclusive(",
        "    if found is None:\n        return inconclusive(",
    ),
    HarnessMutant(
        "a-proxy-that-holds-something-else-passes",
        "clients/proof/in_force.py",
        "        if wrong:\n            found.append(Finding(",
        "        if wrong and not own:\n            found.append(Finding(",
    ),
    HarnessMutant(
        "what-is-in-force-is-read-back-too-late",
        "clients/proof/case_runner.py",
        "        if step != self._step:\n            self._look()\n",
        "",
    ),
    HarnessMutant(
        "every-probe-can-be-recognised",
        "clients/proof/rig/prober.py",
        "chosen = ordinary.chosen(count, sent)",
        "chosen = frozenset[int]()",
    ),
    HarnessMutant(
        "a-probe-that-no-mesh-could-miss-counts-as-ordinary",
        "clients/proof/steps/ordinary_requests.py",
        "    if not any(attempt.ordinary for attempt in own):\n",
        "    if not own:\n",
    ),
    HarnessMutant(
        "a-users-request-carries-our-name",
        "clients/proof/rig/request_maker.py",
        "agent = self._users_agent(probe) if like_a_users else",
        "agent = self._users_agent(probe) if not control else",
    ),
    HarnessMutant(
        "a-door-that-remembers-is-not-noticed",
        "clients/proof/steps/kept_connection.py",
        "    if not attempt.matched:\n",
        "    if not attempt.ran:\n",
    ),
    HarnessMutant(
        "what-was-not-checked-is-a-pass",
        "clients/proof/proving.py",
        'return Finding(name, f"not checked: {why}", FindingVerdict.NOT_CHECKED)',
        'return Finding(name, f"not checked: {why}", FindingVerdict.PASS)',
    ),
    HarnessMutant(
        "a-findings-verdict-is-dropped",
        PROVE,
        "verdict, grade, reason = judge(findings)",
        "verdict, grade, reason = judge(evidence.findings)",
    ),
    HarnessMutant(
        "a-wrong-state-before-is-ignored",
        PROVE,
        "if spoilt := _first_problem(rig, evidence, _earlier(running, case)):",
        "if spoilt := None:",
    ),
    HarnessMutant(
        "unsettled-states-are-looked-at",
        PROVE,
        "if running and (spoilt := _first_problem(running.rig, evidence, _settled(running))):",
        "if spoilt := None:",
    ),
    HarnessMutant(
        "derived-confirmations-are-ignored",
        PROVE,
        "running, case, max(needed, case.repeat), since,",
        "running, case, 1, since,",
    ),
    HarnessMutant(
        "another-expectation-seen-settling-is-its-own",
        "clients/proof/waited.py",
        "same = (seen for seen in settling if (seen.probe, seen.expect) == (case.probe, case.expect))",
        "same = (seen for seen in settling if seen.probe == case.probe)",
    ),
    HarnessMutant(
        "a-cell-that-changes-counts-as-unchanged",
        "clients/proof/table.py",
        "changed = case.before is not None and case.before != case.expect",
        "changed = False",
    ),
    HarnessMutant(
        "a-step-does-not-wait-for-the-cases-before",
        "clients/proof/case_runner.py",
        "        self.wait()\n        if step != self._step:\n",
        "        if step != self._step:\n",
    ),
    HarnessMutant(
        "entries-are-not-compared",
        TRACE,
        "if wrong := difference(rig, stated, entry):",
        "if wrong := difference and None:",
    ),
    HarnessMutant("some-entries-are-enough", TRACE, "if len(entries) < wanted:", "if len(entries) < 1:"),
    HarnessMutant(
        "presence-is-absence",
        TRACE,
        "if found := reader.read(pods, case.probe, logged, sent.requests):",
        "if found := []:",
    ),
    HarnessMutant("anyone-may-come-to-the-server", TRACE, "    if address in peers:\n", "    if address:\n"),
    HarnessMutant(
        "plain-is-as-good-as-tls",
        TRACE,
        "if seen == (arrival.tls, arrival.sni, arrival.client_cert):",
        "if seen[1:] == (arrival.sni, arrival.client_cert):",
    ),
    HarnessMutant("requests-that-did-not-arrive-did", TRACE, "    if missing:\n", "    if missing and not ids:\n"),
    HarnessMutant(
        "a-reused-port-is-ones-own",
        "clients/proof/logs/log_entries.py",
        "if (entry.downstream_remote, entry.downstream_local) in ends",
        "if entry.downstream_remote in clients",
    ),
    HarnessMutant(
        "a-look-that-was-lost-is-a-failure",
        "clients/proof/steps/state.py",
        "FindingVerdict.FAIL if attempt.ran else FindingVerdict.INCONCLUSIVE",
        "FindingVerdict.FAIL",
    ),
    HarnessMutant(
        "the-state-before-need-not-come-back",
        "clients/proof/stage/running_stage.py",
        "problems = self._not_restored()",
        "problems = []",
    ),
    HarnessMutant("a-marker-is-not-awaited", PROVE, "marked = running.marked(case)", "marked = ()"),
    HarnessMutant(
        "a-missing-marker-is-no-matter",
        "clients/proof/waited.py",
        "MarkerState.MISSING: FindingVerdict.INCONCLUSIVE",
        "MarkerState.MISSING: FindingVerdict.PASS",
    ),
    HarnessMutant(
        "a-marker-that-cannot-be-is-not-told",
        "clients/proof/waited.py",
        "MarkerState.UNAVAILABLE: FindingVerdict.NOT_CHECKED",
        "MarkerState.UNAVAILABLE: FindingVerdict.PASS",
    ),
    HarnessMutant(
        "only-the-cases-own-wait-is-slow",
        "clients/proof/waited.py",
        "duration_s = waited_s + own_s",
        "duration_s = own_s",
    ),
    HarnessMutant("any-refusal-is-the-marker", MARKERS, "if other and other.problem:", "if other and False:"),
    HarnessMutant("a-marker-is-seen-where-it-is-not", MARKERS, "            if seen.problem:", "            if False:"),
    HarnessMutant(
        "a-port-of-tcp-gets-a-marker",
        "clients/proof/stage/servers.py",
        "if protocol not in _HTTP and",
        "if False and",
    ),
    HarnessMutant(
        "a-scope-that-hides-the-marker-is-not-seen",
        "clients/proof/stage/marker_plan.py",
        "and not _imports(scope, namespace):",
        "and False:",
    ),
    HarnessMutant(
        "a-sign-need-not-differ-from-the-state-before",
        "clients/proof/stage/change_arrival.py",
        "if seen.problem:",
        "if False:",
    ),
    HarnessMutant(
        "a-change-without-marker-needs-no-sign",
        "clients/proof/stage/change_arrival.py",
        "if settle is None or before is None:",
        "if False:",
    ),
    HarnessMutant("late-replicas-do-not-matter", "clients/proof/too_few.py", "if now <= needed:", "if True:"),
    HarnessMutant(
        "any-refusal-is-the-stated-one",
        "clients/proof/refused.py",
        "elif refused.reason not in answer.text:",
        "elif not answer.text:",
    ),
    HarnessMutant(
        "one-pod-stands-for-all",
        "clients/proof/rig/prober.py",
        "dialled[turn % len(dialled)]",
        "dialled[0]",
    ),
    HarnessMutant(
        "a-foreign-server-is-as-good",
        TRACE,
        "host = server or case.probe.destination",
        "host = case.probe.destination",
    ),
    HarnessMutant(
        "a-pair-of-requests-needs-its-server",
        "clients/proof/proving.py",
        "frozenset({TWIN, AFTER_TWIN, SAME_CONNECTION, ORDINARY})",
        "frozenset({TWIN, AFTER_TWIN, ORDINARY})",
    ),
)
