"""The page: complete, linked, safe against hostile evidence, readable in both themes, and without any network."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from report_samples import NOT_RUN, a_case, sample_report, sample_run, sample_target

from clients.model.attempt import Sample
from clients.model.evidence import Applied, Finding, FindingVerdict, Grade, Verdict
from clients.model.request_record import RequestRecord
from reports.headline import duration, headline
from reports.html import render
from reports.html.frame import TEMPLATES
from reports.record.model import MeshRecord, Report, TargetInfo
from tests.report_parts import parts, unfolded

pytestmark = pytest.mark.unit

PROVEN = "cases proven on the embedded cluster (istio 1.29.1), 3 of them with reduced proof (access log not checked)"
HOSTILE = '</script></style></pre><script>alert(1)</script><img src=x onerror="alert(2)">\'"&#x27;{{ 7*7 }}'


class ParsedPage(HTMLParser):
    """Tags with their attributes, and the visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.raw: dict[str, str] = {}
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style"):
            self.raw[self._within] = self.raw.get(self._within, "") + data
        else:
            self.text += data

    def values(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]


@pytest.fixture(scope="module")
def page() -> ParsedPage:
    return ParsedPage(unfolded(render(sample_report())))


def test_every_case_is_there_with_its_evidence(page: ParsedPage) -> None:
    report = sample_report()
    for case in report.cases:
        assert case.id in page.text
        assert case.title in page.text
        assert case.reason in page.text
        assert case.expected in page.text
        for item in case.applied:
            assert item.yaml in page.text
        for finding in case.findings:
            assert finding.text in page.text or finding.name in ("twin", "before the change")
    for key in NOT_RUN:
        assert key in page.text
    for fact in ("1.29.1", "v1.34.4", "./meshproof run -n 2 --istio 1.29", "Calico 3.28.5", "2026-11-22 16:13:05 UTC"):
        assert fact in page.text


def test_ids_are_unique_and_every_link_within_the_page_leads_somewhere(page: ParsedPage) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    links = [link[1:] for link in page.values("href") if link.startswith("#")]
    assert len(links) > 80
    assert set(links) <= set(ids)
    assert {"LAB-MTLS-03", "LAB-JWT-04.wrong-issuer", "LAB-JWT-04.expired"} <= set(ids)


def test_a_control_leads_to_its_first_case() -> None:
    controls = json.loads(parts(render(sample_report()))["index"])["controls"]
    assert controls == {"LAB-JWT-04": "LAB-JWT-04.wrong-issuer"}


def test_ids_that_look_alike_stay_apart() -> None:
    cases = tuple(a_case(id=key, control="C-1") for key in ("C-1[a b]", "C-1[a/b]", "C-1[a.b]", "[]"))
    ids = ParsedPage(unfolded(render(replace(sample_report(), cases=cases)))).values("id")
    assert len(ids) == len(set(ids))
    assert {"C-1.a.b", "C-1.a.b.2", "C-1.a.b.3"} <= set(ids)


def test_the_page_loads_nothing(page: ParsedPage) -> None:
    loaded = [value for name in ("src", "action", "data", "poster", "srcset") for value in page.values(name)]
    assert loaded == []
    assert all(link.startswith(("#", "conformance.json", "diagnostics/", "data:,")) for link in page.values("href"))
    assert "url(" not in page.raw["style"]
    assert "@import" not in page.raw["style"]


def test_only_the_page_s_own_script_and_style_are_allowed(page: ParsedPage) -> None:
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    for name in ("script", "style"):
        digest = b64encode(hashlib.sha256(page.raw[name].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert page.values("style") == []
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_hostile_evidence_stays_text() -> None:
    case = a_case(
        id=f"X-1[{HOSTILE}]", title=HOSTILE, reason=HOSTILE, expected=HOSTILE, observed=HOSTILE, stage=HOSTILE,
        source=HOSTILE, destination=HOSTILE, command=HOSTILE,
        findings=tuple(Finding(HOSTILE, HOSTILE, each) for each in FindingVerdict),
        verdict=Verdict.FAIL,
        suite=HOSTILE, worker=HOSTILE, diagnostics=f"javascript:{HOSTILE}", substitute=HOSTILE,
        stage_title=HOSTILE, request=RequestRecord(HOSTILE, HOSTILE, HOSTILE, HOSTILE), control=HOSTILE,
        attempts=tuple(replace(a, summary=HOSTILE, problem=HOSTILE, request_id=HOSTILE) for a in a_case().attempts),
        samples=(Sample(0.0, HOSTILE, HOSTILE, HOSTILE, 0.1, {HOSTILE: [HOSTILE]}, HOSTILE, HOSTILE),),
        applied=(Applied(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
    )  # fmt: skip
    run = replace(sample_run(), id=HOSTILE, command=HOSTILE, started=HOSTILE, environment={HOSTILE: HOSTILE})
    target = replace(sample_target(), kind=HOSTILE, details={HOSTILE: HOSTILE})
    page = ParsedPage(unfolded(render(Report(run, target, (case,), not_run=(HOSTILE,)))))
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "img" not in [tag for tag, _ in page.tags]
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "49" not in page.text.replace("0.49", "")
    assert not any(link.startswith("javascript:") for link in page.values("href"))
    assert page.text.count(HOSTILE) > 20


@pytest.mark.parametrize(
    "report",
    [
        Report(replace(sample_run(), ended="", exit=None, started="", command=""), replace(sample_target(), kind="")),
        Report(replace(sample_run(), interrupted="SIGINT"), sample_target(), (a_case(),), damaged=2),
        Report(sample_run(), sample_target(), (a_case(source="", destination="", suite="", stage="", attempts=()),)),
    ],
    ids=["nothing", "interrupted", "bare"],
)
def test_a_poor_report_still_renders(report: Report) -> None:
    text = ParsedPage(unfolded(render(report))).text
    assert "conformance report" in text
    assert ("stopped by SIGINT" in text) == bool(report.run.interrupted)
    assert ("2 records of the journal" in text) == bool(report.damaged)
    assert ("no recorded end" in text) == (not report.run.ended)


def test_the_same_report_gives_the_same_bytes() -> None:
    assert render(sample_report()) == render(sample_report())


def test_the_headline_claims_no_more_than_was_proven() -> None:
    report = sample_report()
    assert headline(report) == f"Does not conform: 2 cases failed, 33 of 41 {PROVEN}"
    good = replace(report, not_run=(), cases=tuple(c for c in report.cases if c.verdict in ("pass", "skip")))
    assert headline(good) == f"Conforms: 33 of 36 {PROVEN}, 3 skipped"
    assert headline(replace(good, not_run=("x",))) == f"Not proven: 33 of 37 {PROVEN}"
    assert headline(replace(good, damaged=1)).startswith("Not proven")
    assert headline(replace(good, cases=())) == (
        "Not proven: 0 of 0 cases proven on the embedded cluster (istio 1.29.1)"
    )


def test_what_scrolls_is_reached_by_keys_and_has_a_name() -> None:
    for template in TEMPLATES.glob("*.html.j2"):
        for line in template.read_text(encoding="utf-8").splitlines():
            if re.search(r'class="(scroll|grid)', line):
                assert re.search(r'tabindex="0" role="region" aria-label="[^"]', line), (template.name, line)


def test_a_verdict_has_a_word_and_not_a_colour_alone(page: ParsedPage) -> None:
    cells = [at for at, (tag, found) in enumerate(page.tags) if tag == "a" and "cell" in found.get("class", "")]
    assert cells
    for at in cells:
        label = next(found["aria-label"] for _, found in page.tags[at + 1 :] if "aria-label" in found)
        assert label in ("pass", "pass, reduced", "fail", "inconclusive", "skip")
    assert any(text.startswith("Timeline: 75 probes after the change, the exp") for text in page.values("aria-label"))


def _links(page: ParsedPage) -> list[tuple[str, str]]:
    """Verdict of every link of every chain: its class, and the word of its sign."""
    rows = [
        at
        for at, (tag, found) in enumerate(page.tags)
        if tag == "li" and found.get("class") in set(FindingVerdict) and "aria-label" in page.tags[at + 1][1]
    ]
    return [(page.tags[at][1]["class"], page.tags[at + 1][1]["aria-label"]) for at in rows]


def test_the_page_never_ticks_what_was_not_looked_at() -> None:
    findings = tuple(Finding("access log", f"said {verdict}", verdict) for verdict in FindingVerdict)
    case = a_case(findings=findings, grade=Grade.REDUCED)
    page = ParsedPage(unfolded(render(replace(sample_report(), cases=(case,), not_run=()))))
    assert _links(page)[-4:] == [
        ("pass", "pass"), ("fail", "fail"), ("inconclusive", "inconclusive"), ("not_checked", "not checked")
    ]  # fmt: skip
    shown = page.text[page.text.index("Why this is believed") :]
    for glyph, verdict in (("✓", "pass"), ("✕", "fail"), ("?", "inconclusive"), ("○", "not_checked")):
        before = shown[: shown.index(f"said {verdict}")].rsplit("Access log", 1)[0]
        assert before.rstrip().endswith(glyph)
    assert "not checked said not_checked" in " ".join(shown.split())


def test_reduced_proof_has_its_own_mark_filter_legend_and_tally(page: ParsedPage) -> None:
    text = " ".join(page.text.split())
    assert "✓30 passed" in text
    assert "◐3 passed with reduced proof" in text
    assert "show-reduced" in page.values("id")
    assert '[data-verdict="reduced"]' in page.raw["style"]
    assert "◐ Pass, reduced proof" in text
    assert "request-authentication suites/lab/test_lab.py, 6 pass (3 reduced)" in text
    assert "access log: the proxies of this target write no access log" in text
    rows = [found["id"] for _, found in page.tags if found.get("class", "").startswith("case reduced")]
    assert rows == ["LAB-JWT-04.wrong-issuer", "LAB-JWT-04.foreign-key", "LAB-JWT-04.expired"]


def test_a_page_without_reduced_proof_has_no_filter_for_it() -> None:
    page = ParsedPage(unfolded(render(replace(sample_report(), cases=(a_case(),)))))
    assert "show-reduced" not in page.values("id")
    assert "passed with reduced proof" not in page.text


def test_stages_are_headed_by_their_titles(page: ParsedPage) -> None:
    assert "A mesh-wide policy demands mutual TLS mesh-wide-strict" in " ".join(page.text.split())


def test_a_reason_that_many_cases_share_is_shown_once() -> None:
    why = "the service account may not read secrets in the namespaces of this run; " * 5
    skipped = tuple(a_case(id=f"S-{n}", verdict=Verdict.SKIP, grade=None, reason=why + "skip") for n in range(130))
    open_ = tuple(a_case(id=f"I-{n}", verdict=Verdict.INCONCLUSIVE, grade=None, reason=why + "open") for n in range(3))
    page = ParsedPage(unfolded(render(replace(sample_report(), cases=(*skipped, *open_)))))
    summary = page.text[: page.text.index("Truth tables", page.text.index("How to read this"))]
    assert summary.count(why + "skip") == 1
    assert "130 cases: S-0 … S-129" in summary
    assert summary.count(why + "open") == 1
    assert summary.count("same reason as I-0") == 2


@pytest.mark.parametrize(
    ("target", "title"),
    [
        (TargetInfo("embedded", mesh=MeshRecord("istio", "1.31.1")), "embedded cluster (istio 1.31.1)"),
        (
            TargetInfo("live", context="prod-eu", mesh=MeshRecord("istio", "1.29.1")),
            "live cluster prod-eu (istio 1.29.1)",
        ),
        (TargetInfo("kind", context="kind-mp"), "kind cluster kind-mp"),
        (TargetInfo("live", context="a", name="live cluster a at 10.0.0.1:6443"), "live cluster a at 10.0.0.1:6443"),
        (TargetInfo("unknown"), "unknown cluster"),
    ],
)
def test_the_headline_names_the_cluster_that_it_is_about(target: TargetInfo, title: str) -> None:
    assert target.title == title
    report = replace(sample_report(), target=target)
    for one in (report, replace(report, cases=(a_case(),), not_run=()), replace(report, cases=())):
        assert f" on the {title}" in headline(one)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_is_aa_in_both_themes(page: ParsedPage, theme: str) -> None:
    block = re.search(rf'\[data-theme="{theme}"\] {{(.*?)}}', page.raw["style"], re.DOTALL)
    assert block is not None
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block[1]))
    backgrounds = ("paper", "surface", "pass-tint", "fail-tint", "inconclusive-tint", "reduced-tint", "skip-tint")
    for ink in ("ink", "muted", "link", "pass", "fail", "inconclusive", "reduced", "skip"):
        for background in backgrounds:
            high, low = sorted((_luminance(colours[ink]), _luminance(colours[background])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, background)


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [("2026-11-22T16:13:05Z", "2026-11-22T16:13:47Z", "42 s"), ("2026-11-22T16:13:05Z", "", ""), ("x", "y", ""),
     ("2026-11-22T16:13:05Z", "2026-11-22T16:16:17.4Z", "3 min 12 s"), ("2026-11-22T16:13:05", "2026-11-22Z", "")],
)  # fmt: skip
def test_how_long_a_run_took(start: str, end: str, text: str) -> None:
    assert duration(start, end) == text
