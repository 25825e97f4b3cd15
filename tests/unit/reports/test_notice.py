"""What is news of a run, in which form it is sent, and what happens where it is not taken."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from report_samples import a_case, sample_report

from clients.model.evidence import Grade, Verdict
from reports.notice import message, news, send
from reports.notice.message import NoticeKind
from reports.notice.news import News
from reports.record import conformance
from reports.record.model import Report, ReportError, TargetInfo
from runner.commands import publishing
from runner.config.settings import Settings

pytestmark = pytest.mark.unit
SECRET = "T0000-B0000-geheim"
WAYS = {"fail": Verdict.FAIL, "inconclusive": Verdict.INCONCLUSIVE, "skip": Verdict.SKIP, "pass": Verdict.PASS}


def night(
    number: int, context: str = "prod", exit_code: int = 0, not_run: tuple[str, ...] = (), **marks: str
) -> Report:
    """The run of a night, with a case for each mark."""
    cases = tuple(
        a_case(
            id=name,
            control=name,
            verdict=WAYS[mark],
            grade=Grade.FULL if mark == "pass" else None,
            reason="" if mark == "pass" else f"<{mark}> & so on",
        )
        for name, mark in marks.items()
    )
    report = sample_report()
    times = {"started": f"2026-11-{number:02}T02:00:00Z", "ended": f"2026-11-{number:02}T02:09:00Z"}
    run = replace(report.run, id=f"202611{number:02}-020000-abcd", exit=exit_code, **times)  # type: ignore[arg-type]
    return replace(report, run=run, target=TargetInfo("live", context=context), cases=cases, not_run=not_run)


def kept(runs: Path, *reports: Report) -> Path:
    """Write the reports below this folder."""
    for report in reports:
        conformance.save(report, runs / report.run.id / conformance.FILE)
    return runs


def test_each_change_is_news_once(tmp_path: Path) -> None:
    kept(tmp_path, night(1, A="pass", B="pass"), night(2, A="fail", B="pass"))
    assert news.since(night(2, A="fail", B="pass"), tmp_path) == News("20261101-020000-abcd", ("A",))
    third = news.since(night(3, A="fail", B="pass"), tmp_path)
    assert third == News("20261102-020000-abcd", still=("A",))
    assert not third.any
    assert news.since(night(3, A="pass", B="pass"), tmp_path).good == ("A",)
    assert news.since(night(3, A="fail", B="inconclusive"), tmp_path).worse == ("B",)


@pytest.mark.parametrize(
    ("before", "now", "worse"),
    [("inconclusive", "fail", True), ("fail", "inconclusive", False), ("skip", "fail", True), ("fail", "skip", False)],
)
def test_what_is_worse_than_bad_is_news(before: str, now: str, worse: bool, tmp_path: Path) -> None:
    kept(tmp_path, night(1, A=before, B="pass"))
    assert bool(news.since(night(2, A=now, B="pass"), tmp_path).worse) is worse


def test_the_first_run_tells_what_is_bad_and_nothing_else(tmp_path: Path) -> None:
    assert news.since(night(1, A="pass", B="fail"), tmp_path) == News("", ("B",))
    assert not news.since(night(1, A="pass"), tmp_path).any


def test_a_run_of_a_part_another_cluster_or_an_interrupted_one_hides_no_change(tmp_path: Path) -> None:
    kept(
        tmp_path,
        night(1, A="fail", B="pass"),
        night(2, B="pass"),
        night(3, context="other", A="pass", B="pass"),
        night(4, exit_code=130, not_run=("A", "B")),
    )
    (tmp_path / "20261105-020000-abcd").mkdir()
    (tmp_path / "20261105-020000-abcd" / "conformance.json").write_text("{")
    assert news.since(night(6, A="fail", B="pass"), tmp_path) == News("20261102-020000-abcd", still=("A",))


def test_runs_of_other_clusters_in_the_same_folder_hide_no_change(tmp_path: Path) -> None:
    """Each night would bring all that is bad as news, and nothing that is good again."""
    kept(tmp_path, night(1, A="fail"))
    for number in range(30):
        report = night(2, context=f"other-{number}", A="pass")
        run = replace(report.run, id=f"20261102-0200{number:02}-abcd")
        kept(tmp_path, replace(report, run=run))
    assert news.since(night(3, A="fail"), tmp_path) == News("20261101-020000-abcd", still=("A",))


def test_what_was_not_run_is_news_until_it_is(tmp_path: Path) -> None:
    kept(tmp_path, night(1, A="pass", B="pass"))
    assert news.since(night(2, A="pass", not_run=("B",)), tmp_path).worse == ("B",)
    kept(tmp_path, night(2, A="pass", not_run=("B",)))
    assert news.since(night(3, A="pass", B="pass"), tmp_path).good == ("B",)


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        (("pass", "fail", "inconclusive", "fail", "inconclusive", "fail"), "02"),  # one change, whatever it is called
        (("pass", "fail", "", "fail"), "02"),  # a deadline kept it from being run
        (("pass", "inconclusive", "fail", "fail"), "02 03"),
        (("pass", "fail", "skip", "fail"), "02"),  # a skip is no answer
        (("pass", "fail", "skip", "pass", "pass"), "02 +04"),
        (("pass", "skip", "fail"), "03"),
        (("fail", "pass", "fail"), "01 +02 03"),
    ],
)
def test_a_case_that_stays_bad_wakes_once(marks: tuple[str, ...], told: str, tmp_path: Path) -> None:
    """Each night on which it failed was news where the night before it was not run, or inconclusive."""
    seen = []
    for number, mark in enumerate(marks, 1):
        report = night(number, not_run=() if mark else ("A",), B="pass", **({"A": mark} if mark else {}))
        found = news.since(report, tmp_path)
        seen += [f"{number:02}"] * bool(found.worse) + [f"+{number:02}"] * bool(found.good)
        kept(tmp_path, report)
    assert " ".join(seen) == told


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://hooks.slack.com/services/x", NoticeKind.SLACK),
        ("https://contoso.webhook.office.com/x", NoticeKind.TEAMS),
        ("https://prod-1.westeurope.logic.azure.com:443/x", NoticeKind.TEAMS),
        ("http://alertmanager:9093/api/v2/alerts", NoticeKind.ALERTMANAGER),
        ("https://example.com/hook", NoticeKind.JSON),
        ("https://hooks.slack.com.example.com/x", NoticeKind.JSON),
    ],
)
def test_the_address_shows_the_kind(url: str, kind: NoticeKind) -> None:
    assert message.kind_of(url) is kind


NEW = News("20261101-020000-abcd", ("A",), ("B",), ("C",))
REPORT = night(2, A="fail", B="pass", C="inconclusive")
LINK = "https://reports.example.com/20261102-020000-abcd/index.html"


def test_plain_json_has_everything_as_data() -> None:
    body = json.loads(json.dumps(message.render(NoticeKind.JSON, REPORT, NEW, LINK)))
    assert body["schema"] == "meshproof/notice/v1"
    assert body["headline"].startswith("Does not conform: 1 case failed")
    assert body["worse"] == [
        {"case": "A", "mark": "fail", "title": body["worse"][0]["title"], "reason": "<fail> & so on"}
    ]
    assert (body["good"], body["still"], body["link"]) == (["B"], ["C"], LINK)
    assert body["totals"]["fail"] == 1


def test_slack_gets_one_text_with_its_escapes() -> None:
    body = message.render(NoticeKind.SLACK, REPORT, NEW, LINK)
    lines = body["text"].splitlines()
    assert list(body) == ["text"]
    assert lines[0].startswith("*Does not conform")
    assert lines[1:] == [
        "New since 20261101-020000-abcd (1):",
        "• A: fail, &lt;fail&gt; &amp; so on",
        "Good again (1): B",
        "As before (1): C",
        f"<{LINK}|report>",
    ]


def test_teams_gets_an_adaptive_card() -> None:
    [attachment] = message.render(NoticeKind.TEAMS, REPORT, NEW, LINK)["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"]["type"] == "AdaptiveCard"
    assert attachment["content"]["body"][0]["text"].startswith("Does not conform")
    assert attachment["content"]["actions"][0]["url"] == LINK
    assert "actions" not in message.render(NoticeKind.TEAMS, REPORT, NEW)["attachments"][0]["content"]


def test_alertmanager_gets_what_is_bad_until_two_nights_later_and_what_is_good_as_resolved() -> None:
    alerts = {one["labels"]["case"]: one for one in message.render(NoticeKind.ALERTMANAGER, REPORT, NEW, LINK)}
    assert set(alerts) == {"A", "B", "C"}
    assert alerts["A"]["labels"] == {
        "alertname": "MeshproofCaseNotProven", "case": "A", "control": "A", "cluster": "live prod",
    }  # fmt: skip
    assert alerts["A"]["annotations"] == {"summary": "A: fail", "description": "<fail> & so on"}
    assert alerts["A"]["endsAt"] == "2026-11-04T02:09:00+00:00"
    assert alerts["B"]["endsAt"] == "2026-11-02T02:09:00+00:00"
    assert alerts["C"]["generatorURL"] == LINK


def test_a_message_says_which_of_the_clusters_that_have_no_context_it_is_about() -> None:
    """From pods: the API server has the same address in each of them."""
    target = TargetInfo("live", name="live cluster at 10.96.0.1:443", uid="0f6b1c2d-7c1e", server="https://10.96.0.1")
    report = replace(REPORT, target=target)
    assert (
        "on the live cluster at 10.96.0.1:443 (uid 0f6b1c2d)" in message.render(NoticeKind.SLACK, report, NEW)["text"]
    )
    assert message.render(NoticeKind.JSON, report, NEW)["cluster"] == "live 0f6b1c2d"
    assert replace(target, context="prod").title == "live cluster at 10.96.0.1:443"
    assert replace(target, kind="embedded").title == "live cluster at 10.96.0.1:443"


def test_a_long_list_is_cut() -> None:
    marks = {f"A-{number:02}": "fail" for number in range(30)}
    text = message.render(NoticeKind.SLACK, night(1, **marks), News("", tuple(marks)))["text"]
    assert "• A-09" in text
    assert "A-10" not in text
    assert "• and 20 more" in text


class Hook:
    """A webhook on loopback that answers with these codes, one after the other, the last again and again."""

    def __init__(self, *codes: int) -> None:
        self.got: list[Any] = []
        self.codes = list(codes)
        self.dripping = False
        hook = self

        class WebhookHandler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hook.codes.pop(0) if len(hook.codes) > 1 else hook.codes[0])
                self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()
                with suppress(OSError):  # the other side has gone
                    for _ in range(100 * hook.dripping):
                        self.wfile.write(b".")
                        time.sleep(0.1)

            def log_message(self, *_: Any) -> None:
                """No line on the terminal."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), WebhookHandler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/{SECRET}"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook(200)
    yield made
    made.close()


def test_a_receiver_that_is_busy_is_asked_again(hook: Hook) -> None:
    hook.codes = [503, 429, 200]
    send.send(hook.url, {"a": 1}, wait_s=0.0)
    assert hook.got == [{"a": 1}] * 3


@pytest.mark.parametrize("url", ["http://a..b/geheim", f"http://{'a' * 300}/geheim", "http://ex ample/geheim"])
def test_an_address_of_no_host_is_one_line_without_it(url: str) -> None:
    """The library's own error is none of those that it states; it ended a run that had conformed with a traceback."""
    with pytest.raises(ReportError, match="the notification was not sent: the webhook cannot be reached") as refused:
        send.send(url, {}, wait_s=0.0)
    assert "geheim" not in str(refused.value)


def test_an_answer_without_an_end_holds_no_run_up(hook: Hook) -> None:
    """The status is all that is asked for. Each byte came in time, so that no limit ended it."""
    hook.dripping = True
    began = time.monotonic()
    send.send(hook.url, {"a": 1}, wait_s=0.0)
    assert time.monotonic() - began < 5
    assert hook.got == [{"a": 1}]


def test_a_head_without_an_end_holds_no_run_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that sends one byte of its answer's head now and then: each came in time, for as long as it liked."""
    monkeypatch.setattr(send, "WHOLE_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as there:
        threading.Thread(target=drip, args=(there,), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(ReportError, match="the notification was not sent: the webhook does not answer in time"):
            send.send(f"http://127.0.0.1:{there.getsockname()[1]}/{SECRET}", {}, wait_s=0.0)
    assert time.monotonic() - began < 5


def drip(there: socket.socket) -> None:
    with suppress(OSError):
        other, _ = there.accept()
        with other:
            for sign in b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100:
                other.send(bytes([sign]))
                time.sleep(0.1)


@pytest.mark.parametrize(("code", "requests"), [(404, 1), (302, 1), (500, 3)])
def test_a_refusal_is_one_line_without_the_address(code: int, requests: int, hook: Hook) -> None:
    hook.codes = [code]
    with pytest.raises(ReportError) as caught:
        send.send(hook.url, {}, wait_s=0.0)
    assert f"the webhook answers {code}" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    assert len(hook.got) == requests


def test_nobody_there_is_one_line_without_the_address() -> None:
    with pytest.raises(ReportError, match=r"cannot be reached \(ConnectionError\)") as caught:
        send.send(f"http://127.0.0.1:1/{SECRET}", {}, wait_s=0.0)
    assert SECRET not in str(caught.value)


def test_a_run_notifies_once_per_change(tmp_path: Path, hook: Hook) -> None:
    settings = Settings.model_validate({"notify": {"url": hook.url, "reports": "https://r.example.com/runs/"}})
    for number, mark in enumerate(("pass", "fail", "fail", "fail", "pass", "pass"), 1):
        report = night(number, A=mark, B="pass")
        kept(tmp_path, report)
        publishing.after(tmp_path / report.run.id, settings)
    assert [(one["run"][6:8], [case["case"] for case in one["worse"]], one["good"]) for one in hook.got] == [
        ("02", ["A"], []),
        ("05", [], ["A"]),
    ]
    assert hook.got[0]["link"] == "https://r.example.com/runs/20261102-020000-abcd/index.html"


def test_what_could_not_be_sent_is_sent_by_the_next_run(
    tmp_path: Path, hook: Hook, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings.model_validate({"notify": {"url": hook.url}})
    for number, mark in enumerate(("pass", "fail", "fail", "fail"), 1):
        report = night(number, A=mark, B="pass")
        kept(tmp_path, report)
        hook.codes = [404] if number == 2 else [200]
        publishing.after(tmp_path / report.run.id, settings)
    assert [one["run"][6:8] for one in hook.got] == ["02", "03"]
    assert hook.got[1]["since"] == "20261101-020000-abcd"
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "the notification was not sent" in printed
    assert SECRET not in printed


def test_alertmanager_hears_of_what_is_still_bad_each_night(tmp_path: Path, hook: Hook) -> None:
    settings = Settings.model_validate({"notify": {"url": hook.url, "kind": "alertmanager"}})
    for number in (1, 2, 3):
        report = night(number, A="fail", B="pass")
        kept(tmp_path, report)
        publishing.after(tmp_path / report.run.id, settings)
    assert [[alert["labels"]["case"] for alert in body] for body in hook.got] == [["A"]] * 3


def test_an_interrupted_run_notifies_of_nothing(tmp_path: Path, hook: Hook) -> None:
    report = night(1, exit_code=130, A="fail")
    kept(tmp_path, report)
    publishing.after(tmp_path / report.run.id, Settings.model_validate({"notify": {"url": hook.url}}))
    assert hook.got == []
