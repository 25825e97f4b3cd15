"""The mutants: what is wrong in each, where, and which rooms' unit tests must notice it."""

from __future__ import annotations

from dataclasses import dataclass

PROOF = ("model", "proof")
PROBE = ("model", "probe")


@dataclass(frozen=True)
class HarnessMutant:
    """One wrong line.

    Attributes:
        name: what the harness does wrong.
        file: relative to the checkout.
        old, new: the text that is replaced, which is there exactly once.
        rooms: folders of `tests/unit` that must notice it.
    """

    name: str
    file: str
    old: str
    new: str
    rooms: tuple[str, ...] = PROOF

    def patched(self, text: str) -> str:
        """The file's text with the mutant in it.

        Raises:
            ValueError: the text that it replaces is not there exactly once.
        """
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"{self.name}: {self.file} has {self.old!r} {count} times, not once")
        return text.replace(self.old, self.new)


MODEL = "clients/model"
ROW = "clients/probe/confirmation_row.py"
DENIAL = "clients/proof/denial.py"
TRACE = "clients/proof/trace.py"
DECIDED = "clients/proof/decided.py"
ANSWERED = "clients/proof/answered.py"
PROVE = "clients/proof/prove.py"
WHY = "clients/mesh/why"
KNOWN = f"{MODEL}/known.py"
EXCUSES = "runner/session/excuses.py"
MARKERS = "clients/proof/markers.py"
MARKER_OBJECTS = "clients/apply/marker_objects.py"
SETTLING = "clients/model/settling.py"

MUTANTS = (
    # what is expected
    HarnessMutant(
        "infrastructure-is-a-denial",
        f"{MODEL}/expect.py",
        "if outcome.kind not in self.kinds or seen != stated:",
        "if seen != stated:",
        PROBE,
    ),
    HarnessMutant(
        "checks-are-not-asked",
        f"{MODEL}/expect.py",
        "return next((why for check in self.checks if (why := check.problem(outcome))), None)",
        "return None",
        PROBE,
    ),
    HarnessMutant(
        "a-header-matches-in-part",
        f"{MODEL}/expect.py",
        "if any(re.fullmatch(pattern, value) for value in values):",
        "if any(re.search(pattern, value) for value in values):",
        PROBE,
    ),
    HarnessMutant(
        "any-failed-transfer-is-a-reset",
        f"{MODEL}/outcome.py",
        "    56: OutcomeKind.RESET,\n",
        "    56: OutcomeKind.RESET,\n    1: OutcomeKind.RESET,\n    18: OutcomeKind.RESET,\n",
        PROBE,
    ),
    HarnessMutant(
        "an-error-status-is-no-refusal",
        f"{MODEL}/expect.py",
        "return self.status is None or self.status >= _BAD_REQUEST or bool(self.grpc_status)",
        "return self.status is None",
        PROOF,
    ),
    # waiting
    HarnessMutant(
        "infrastructure-is-a-mismatch",
        ROW,
        "if outcome.kind is OutcomeKind.INFRASTRUCTURE:",
        "if outcome is None:",
        PROBE,
    ),
    HarnessMutant("one-match-is-enough", ROW, "self.row >= self.demanded", "self.row >= 1", PROBE),
    HarnessMutant("flaps-ask-for-no-more", ROW, "return max(self.needed, min(", "return min(self.needed, max(", PROBE),
    HarnessMutant("a-flap-is-not-counted", ROW, "self.flaps += self.held", "self.flaps += 0 * self.held", PROBE),
    HarnessMutant(
        "a-mismatch-keeps-the-row",
        ROW,
        'self.row, self.held, self.mismatch, self.lost = 0, False, problem, ""',
        'self.held, self.mismatch, self.lost = False, problem, ""',
        PROBE,
    ),
    HarnessMutant("the-window-is-ignored", ROW, "now - self.row_start >= self.policy.window_s", "now >= 0", PROBE),
    HarnessMutant(
        "the-deadline-is-ignored",
        ROW,
        "self.in_time if self.row else now < self.deadline",
        "self.in_time if self.row else True",
        PROBE,
    ),
    HarnessMutant(
        "slow-confirmations-are-conclusive",
        ROW,
        "bool(self.mismatch) and not self.lost and not only_slow",
        "bool(self.mismatch) and not self.lost",
        PROBE,
    ),
    HarnessMutant("any-node-is-dialled", "clients/probe/way_in.py", "if one[0] or not only", "if True", PROBE),
    HarnessMutant(
        "an-address-need-not-answer",
        "clients/probe/way_in.py",
        "if self.answers(host, status_port(service) or port):",
        "if host:",
        PROBE,
    ),
    HarnessMutant(
        "lost-probes-are-conclusive",
        ROW,
        "bool(self.mismatch) and not self.lost and not only_slow",
        "bool(self.mismatch) and not only_slow",
        PROBE,
    ),
    HarnessMutant(
        "missing-outcomes-are-forgotten",
        ROW,
        'return outcomes + [infrastructure("", "the probe gave no outcome")] * (count - len(outcomes))',
        "return outcomes",
        PROBE,
    ),
    HarnessMutant(
        "replicas-do-not-count",
        "clients/probe/confirm.py",
        "pools = threads * replicas",
        "pools = threads",
        PROBE,
    ),
    # a denial
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
        "wrong = next((attempt for attempt in after if not attempt.matched), None)",
        "wrong = None if after else after",
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
    HarnessMutant("an-outside-log-is-not-read", DENIAL, "if arrived := external.arrived(denied):", "if arrived := []:"),
    HarnessMutant(
        "an-outside-log-that-is-not-there-is-silent",
        DENIAL,
        "        if external.log is None:\n            return [not_checked(",
        "        if external.log is None and not denied:\n            return [not_checked(",
    ),
    HarnessMutant(
        "a-server-that-is-down-lets-no-request-in",
        "clients/proof/own_pod.py",
        "return Verdict.PASS if wrong is None else Verdict.INCONCLUSIVE",
        "return Verdict.PASS",
    ),
    HarnessMutant(
        "a-way-that-was-never-open-is-refused",
        "clients/proof/own_pod.py",
        "return baseline is not None and not baseline.problem and not baseline.expect.refuses",
        "return True",
    ),
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
        "clients/proof/prober.py",
        "chosen = ordinary.chosen(count, sent)",
        "chosen = frozenset[int]()",
    ),
    HarnessMutant(
        "a-probe-that-no-mesh-could-miss-counts-as-ordinary",
        "clients/proof/ordinary_requests.py",
        "    if not any(attempt.ordinary for attempt in own):\n",
        "    if not own:\n",
    ),
    HarnessMutant(
        "a-users-request-carries-our-name",
        "clients/proof/prober.py",
        'user_agent="" if like_a_users else',
        'user_agent="" if not control else',
    ),
    HarnessMutant(
        "a-leak-is-not-searched-for",
        "clients/proof/leak.py",
        "wanted = probes_for_leak(policy.leak) if policy.leak else 0",
        "wanted = 0",
    ),
    HarnessMutant(
        "a-request-that-leaks-is-one-more-refused",
        "clients/proof/leak.py",
        "            if attempt.matched:\n",
        "            if attempt.ran:\n",
    ),
    # where it was decided
    HarnessMutant("unknown-arrivals-are-known", "clients/proof/counted.py", "        unknown += strange\n", ""),
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
        "clients/proof/mechanism.py",
        "and (not names or policy in names)",
        "and (not names or policy)",
    ),
    HarnessMutant(
        "what-was-sent-on-was-refused",
        "clients/proof/mechanism.py",
        "return (not sent_to or not entry.protocol) and policy is not None",
        "return policy is not None",
    ),
    HarnessMutant(
        "a-proxy-behind-the-network-may-see-it",
        DECIDED,
        "    if seen:\n        text",
        "    if not seen and not behind:\n        text",
    ),
    HarnessMutant(
        "any-upstream-is-the-application",
        ANSWERED,
        "return bool(host) and (not pod.ip or host == pod.ip or host.startswith(_LOOPBACK))",
        "return bool(host)",
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
        "a-log-with-a-gap-is-complete",
        "clients/mesh/log_lines.py",
        "        if self._gap:\n            raise InfrastructureError(self._gap)\n",
        "",
        ("mesh", "proof"),
    ),
    HarnessMutant(
        "known-lines-come-twice",
        "clients/kube/log_follower.py",
        "if self._known[line] > 0:",
        "if self._known[line] > 99:",
        ("kube",),
    ),
    # findings and verdicts
    HarnessMutant(
        "what-was-not-checked-is-a-pass",
        "clients/proof/proving.py",
        'return Finding(name, f"not checked: {why}", FindingVerdict.NOT_CHECKED)',
        'return Finding(name, f"not checked: {why}", FindingVerdict.PASS)',
    ),
    HarnessMutant(
        "every-pass-is-of-full-grade",
        f"{MODEL}/evidence.py",
        "return Verdict.PASS, Grade.REDUCED if unchecked else Grade.FULL",
        "return Verdict.PASS, Grade.FULL",
    ),
    HarnessMutant(
        "a-findings-verdict-is-dropped",
        PROVE,
        "verdict, grade, reason = judge(findings)",
        "verdict, grade, reason = judge(evidence.findings)",
    ),
    HarnessMutant(
        "inconclusive-findings-pass",
        f"{MODEL}/evidence.py",
        "((Verdict.FAIL, FindingVerdict.FAIL), (Verdict.INCONCLUSIVE, FindingVerdict.INCONCLUSIVE))",
        "((Verdict.FAIL, FindingVerdict.FAIL),)",
    ),
    HarnessMutant(
        "a-wrong-state-before-is-ignored",
        PROVE,
        "if spoilt := _first_problem(evidence, _earlier(running, case)):",
        "if spoilt := None:",
    ),
    HarnessMutant(
        "unsettled-states-are-looked-at",
        PROVE,
        "if running and (spoilt := _first_problem(evidence, _settled(running))):",
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
    # logs
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
    HarnessMutant(
        "requests-that-did-not-arrive-did", TRACE, "    if missing or not ids:\n", "    if not ids and not missing:\n"
    ),
    HarnessMutant(
        "a-reused-port-is-ones-own",
        "clients/proof/log_entries.py",
        "if (entry.downstream_remote, entry.downstream_local) in ends",
        "if entry.downstream_remote in clients",
    ),
    # states
    HarnessMutant(
        "a-look-that-was-lost-is-a-failure",
        "clients/proof/observe.py",
        "FindingVerdict.FAIL if attempt.ran else FindingVerdict.INCONCLUSIVE",
        "FindingVerdict.FAIL",
    ),
    HarnessMutant(
        "the-state-before-need-not-come-back",
        "clients/proof/running_stage.py",
        "problems = self._not_restored()",
        "problems = []",
    ),
    # known failures
    HarnessMutant(
        "an-entry-for-a-case-excuses-its-control",
        KNOWN,
        'self.control in (case, case.partition("[")[0])',
        'self.control.partition("[")[0] == case.partition("[")[0]',
        ("model/test_known.py",),
    ),
    HarnessMutant(
        "an-expired-entry-excuses-on",
        KNOWN,
        "if entry.names(case) and entry.fits(mesh) and not entry.expired(day))",
        "if entry.names(case) and entry.fits(mesh))",
        ("model/test_known.py",),
    ),
    HarnessMutant(
        "an-entry-excuses-whatever-is-seen",
        KNOWN,
        'if entry.observed in ("", observed)',
        "if True",
        ("model/test_known.py",),
    ),
    HarnessMutant(
        "an-entry-excuses-every-mesh",
        KNOWN,
        'return not self.mesh or mesh == self.mesh or mesh.startswith(f"{self.mesh}.")',
        "return True",
        ("model/test_known.py",),
    ),
    HarnessMutant(
        "what-is-inconclusive-is-excused",
        EXCUSES,
        "if evidence.verdict is not Verdict.FAIL:",
        "if evidence.verdict not in (Verdict.FAIL, Verdict.INCONCLUSIVE):",
        ("runner/test_excuses.py",),
    ),
    HarnessMutant(
        "one-known-failure-excuses-the-others",
        EXCUSES,
        "return bool(wrong) and all(one.known for one in wrong)",
        "return any(one.known for one in wrong)",
        ("runner/test_excuses.py",),
    ),
    HarnessMutant(
        "known-failures-are-failures",
        "reports/model.py",
        'return self.totals["fail"] - len(self.known)',
        'return self.totals["fail"]',
        ("reports/test_reports_known.py",),
    ),
    HarnessMutant(
        "an-entry-of-what-passes-stays-for-ever",
        "reports/known.py",
        "    if not passed:\n",
        "    if passed:\n",
        ("reports/test_reports_known.py",),
    ),
    # whether the change has come
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
        "a-marker-is-used-again", "clients/apply/marker_objects.py", "return secrets.token_hex(8)", 'return "a"'
    ),
    HarnessMutant(
        "a-marker-shuts-ports-of-tcp",
        MARKER_OBJECTS,
        '"to": [{"operation": {"ports": [str(port)]}}],',
        '"to": [{"operation": {"ports": ["*"]}}],',
    ),
    HarnessMutant(
        "a-port-of-tcp-gets-a-marker",
        "clients/proof/servers.py",
        "if protocol not in _HTTP and",
        "if False and",
    ),
    HarnessMutant(
        "a-scope-that-hides-the-marker-is-not-seen",
        "clients/proof/marker_plan.py",
        "and not _imports(scope, namespace):",
        "and False:",
    ),
    HarnessMutant(
        "a-sign-need-not-differ-from-the-state-before", "clients/proof/arrival.py", "if seen.problem:", "if False:"
    ),
    HarnessMutant(
        "a-change-without-marker-needs-no-sign",
        "clients/proof/arrival.py",
        "if settle is None or before is None:",
        "if False:",
    ),
    HarnessMutant(
        "a-stage-may-settle-on-the-state-before",
        SETTLING,
        "return before is not None and not may_both_match(before, settle.expect)",
        "return before is not None",
    ),
    HarnessMutant(
        "a-stage-may-settle-on-nothing", SETTLING, "if not state.is_changed(case)), None)", "if False), None)"
    ),
    # why a case failed, and what is written down
    HarnessMutant("late-replicas-do-not-matter", PROVE, "if now <= needed:", "if True:"),
    HarnessMutant(
        "why-blames-a-policy-for-the-contrary",
        f"{WHY}/detectors.py",
        "if case.effect not in reason.effects or (",
        "if (",
        ("mesh",),
    ),
    HarnessMutant(
        "why-guesses-what-it-may-not-read", f"{WHY}/view.py", "if kind not in self.known:", "if False:", ("mesh",)
    ),
    HarnessMutant(
        "why-takes-a-dry-run-for-a-policy",
        f"{WHY}/view.py",
        "is not False and not policy.dry_run]",
        "is not False]",
        ("mesh",),
    ),
    HarnessMutant(
        "a-short-write-is-whole",
        "reports/journal.py",
        "if os.write(descriptor, whole) < len(whole):",
        "if os.write(descriptor, whole) < 0:",
        ("reports",),
    ),
    # the language of cases
    HarnessMutant(
        "an-unresolved-name-is-a-timeout-of-the-network",
        "clients/probe/answer.py",
        'if not transfer.time_namelookup or transfer.errormsg.startswith("Resolving timed out"):',
        "if False:",
        ("probe",),
    ),
    HarnessMutant(
        "http2-is-answered-by-http1",
        "clients/probe/answer.py",
        'if http2 and answered and transfer.http_version != "2":',
        "if False:",
        ("probe",),
    ),
    HarnessMutant(
        "methods-are-in-capitals",
        "clients/probe/libcurl.py",
        "pycurl.CUSTOMREQUEST: request.method.encode()",
        "pycurl.CUSTOMREQUEST: request.method.upper().encode()",
        ("probe",),
    ),
    HarnessMutant(
        "a-claim-is-never-removed",
        "clients/identity/named.py",
        "for name, value in content.items() if value is not None}",
        "for name, value in content.items()}",
        ("identity",),
    ),
    HarnessMutant(
        "any-refusal-is-the-stated-one",
        "clients/proof/refused.py",
        "elif refused.reason not in answer.text:",
        "elif not answer.text:",
    ),
    HarnessMutant(
        "one-pod-stands-for-all",
        "clients/proof/prober.py",
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
        "misspelt-capabilities-are-lacking",
        "runner/session/mistakes.py",
        "if name not in known:",
        "if False:",
        ("runner",),
    ),
)
