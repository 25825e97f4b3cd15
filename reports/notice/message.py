"""The news of a run in the forms that receivers take: plain JSON, Slack, Teams, Alertmanager."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from reports.attempts import one_line
from reports.headline import headline
from reports.history.store import cluster_of
from reports.marks import WORDS, Mark
from reports.notice.news import News
from reports.record.model import Report

SCHEMA = "meshproof/notice/v1"
MOST = 10
"""Cases that a message for people lists."""
REASON = 200
"""Characters of a reason there."""
ALERT = timedelta(hours=48)
"""How long an alert fires that no later run sends again: two nights."""


class NoticeKind(StrEnum):
    """Who receives the message."""

    JSON = "json"
    SLACK = "slack"
    TEAMS = "teams"
    ALERTMANAGER = "alertmanager"


def kind_of(url: str) -> NoticeKind:
    """The kind that an address shows; plain JSON where it shows none."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host == "hooks.slack.com":
        return NoticeKind.SLACK
    if host.endswith((".webhook.office.com", ".logic.azure.com", ".api.powerplatform.com")):
        return NoticeKind.TEAMS
    return NoticeKind.ALERTMANAGER if parts.path.rstrip("/").endswith("/api/v2/alerts") else NoticeKind.JSON


def render(kind: NoticeKind, report: Report, news: News, link: str = "") -> Any:
    """The body of the request, as JSON values.

    Args:
        link: address of the report; empty where there is none.
    """
    return _FORMS[kind](report, news, link)


def _json(report: Report, news: News, link: str) -> Any:
    return {
        "schema": SCHEMA,
        "headline": headline(report),
        "run": report.run.id,
        "exit": report.run.exit,
        "cluster": cluster_of(report.target),
        "totals": report.totals,
        "link": link,
        "since": news.since,
        "worse": [_case(report, name) for name in news.worse],
        "good": list(news.good),
        "still": list(news.still),
    }


def _slack(report: Report, news: News, link: str) -> Any:
    """Their escapes: `&`, `<` and `>` alone."""
    lines = [line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in _lines(report, news)]
    return {"text": "\n".join([f"*{lines[0]}*", *lines[1:], *([f"<{link}|report>"] if link else [])])}


def _teams(report: Report, news: News, link: str) -> Any:
    first, *rest = _lines(report, news)
    body = [{"type": "TextBlock", "text": first, "weight": "Bolder", "wrap": True}]
    body += [{"type": "TextBlock", "text": line, "wrap": True} for line in rest]
    content: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if link:
        content["actions"] = [{"type": "Action.OpenUrl", "title": "Report", "url": link}]
    card = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    return {"type": "message", "attachments": [card]}


def _alertmanager(report: Report, news: News, link: str) -> Any:
    """Every bad case fires, again each night until it is good: Alertmanager itself tells of an alert once."""
    ended = datetime.fromisoformat(report.run.ended or report.run.started)
    firing = [_alert(report, name, ended + ALERT, link) for name in (*news.worse, *news.still)]
    return firing + [_alert(report, name, ended, link) for name in news.good]


def _alert(report: Report, name: str, until: datetime, link: str) -> dict[str, Any]:
    case = _case(report, name)
    labels = {
        "alertname": "MeshproofCaseNotProven",
        "case": name,
        "control": name.partition("[")[0],
        "cluster": cluster_of(report.target),
    }
    found = {
        "labels": labels,
        "annotations": {
            "summary": _worded(case),
            "description": case["reason"] or case["title"],
        },
        "startsAt": report.run.started,
        "endsAt": until.isoformat(),
    }
    return {**found, "generatorURL": link} if link else found


def _lines(report: Report, news: News) -> list[str]:
    """For people: the headline, what is new, what is good again, and how much is as before."""
    lines = [headline(report)]
    cases = [_case(report, name) for name in news.worse[:MOST]]
    if cases:
        lines.append(f"New{f' since {news.since}' if news.since else ''} ({len(news.worse)}):")
        lines += [", ".join(filter(None, (f"• {_worded(one)}", one["reason"]))) for one in cases]
        lines += [f"• and {len(news.worse) - MOST} more"] if len(news.worse) > MOST else []
    if news.good:
        lines.append(f"Good again ({len(news.good)}): {_some(news.good)}")
    if news.still:
        lines.append(f"As before ({len(news.still)}): {_some(news.still)}")
    return lines


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:MOST]) + (f" and {len(listed) - MOST} more" if len(listed) > MOST else "")


def _case(report: Report, name: str) -> dict[str, str]:
    case = next((one for one in report.cases if one.id == name), None)
    reason = one_line(case.reason)[:REASON] if case else ""
    return {"case": name, "mark": report.marks[name], "title": case.title if case else "", "reason": reason}


def _worded(case: Mapping[str, str]) -> str:
    return f"{case['case']}: {WORDS[Mark(case['mark'])]}"


_FORMS: dict[NoticeKind, Callable[[Report, News, str], Any]] = {
    NoticeKind.JSON: _json,
    NoticeKind.SLACK: _slack,
    NoticeKind.TEAMS: _teams,
    NoticeKind.ALERTMANAGER: _alertmanager,
}
