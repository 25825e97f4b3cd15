"""Statistics of a sidecar, and what suites count in them."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from clients.kube.exec import ExecResult
from clients.kube.pods import SIDECAR, Pod
from clients.mesh import sidecar
from clients.model.errors import InfrastructureError
from suites.counters import dry_run, total
from suites.lab.telemetry import named_caller, unknown_caller

pytestmark = pytest.mark.unit

POD = Pod("shop", "cart-1", containers=("server", SIDECAR))
MUTUAL = 'reporter="destination",source_workload="sleep",source_workload_namespace="w-mtls-client"'
UNKNOWN = 'reporter="destination",source_workload="unknown",source_workload_namespace="unknown"'
TEXT = f"""\
# TYPE istio_requests_total counter
istio_requests_total{{{MUTUAL},connection_security_policy="mutual_tls"}} 3
istio_requests_total{{{MUTUAL.replace("destination", "source")},connection_security_policy="mutual_tls"}} 40
istio_requests_total{{{UNKNOWN},connection_security_policy="none"}} 5

# TYPE envoy_http_rbac_policy counter
envoy_http_rbac_policy{{authz_dry_run_action="allow",authz_dry_run_result="allowed",a="say \\"hi\\"\\\\, b=\\"c\\""}} 2
envoy_http_rbac_policy{{authz_dry_run_action="allow",authz_dry_run_result="denied"}} 7
# TYPE envoy_other_rbac counter
envoy_other_rbac{{authz_dry_run_action="allow",authz_dry_run_result="allowed"}} 60
"""
RIG = SimpleNamespace(overlay=SimpleNamespace(namespace=lambda name: f"w-{name}"))


@pytest.fixture
def answers(monkeypatch):
    """Sets what the sidecar's admin interface answers."""

    def answer(text: str, exit_code: int = 0) -> None:
        result = ExecResult(exit_code, text, "connection refused")
        monkeypatch.setattr(sidecar, "exec_once", lambda *_, **__: result)

    return answer


def test_a_label_may_hold_quotes_commas_and_backslashes(answers):
    answers(TEXT)
    stats = sidecar.stats(None, POD)
    assert total(stats, {"a": 'say "hi"\\, b="c"'}) == 2
    assert total(stats, {"b": "c"}) == 0
    assert total(stats, {"b": "c\\"}) == 0


def test_callers_are_counted_by_the_servers_reports(answers):
    answers(TEXT)
    stats = sidecar.stats(None, POD)
    assert (named_caller(stats, RIG), unknown_caller(stats, RIG)) == (3, 5)


def test_without_the_standard_metric_callers_are_counted_by_the_policy_in_dry_run(answers):
    answers(TEXT[TEXT.index("# TYPE envoy_http") :])
    stats = sidecar.stats(None, POD)
    assert (named_caller(stats, RIG), unknown_caller(stats, RIG)) == (2, 7)
    assert dry_run(stats, "deny", "denied") == 0


def without(label: str) -> str:
    """The statistics of a proxy for which a Telemetry removes a tag of the standard metric."""
    return re.sub(rf'(?<=[{{,]){label}="[^"]*",?', "", TEXT)


@pytest.mark.parametrize("label", ["source_workload", "source_workload_namespace", "connection_security_policy"])
def test_a_metric_without_a_tag_that_is_asked_for_is_none(answers, label):
    """With few tags there are fewer series, so it is common; 0 of 5 requests were counted."""
    answers(without(label))
    stats = sidecar.stats(None, POD)
    assert any(one.name == "istio_requests_total" and label not in one.labels for one in stats)
    assert (named_caller(stats, RIG), unknown_caller(stats, RIG)) == (2, 7), "by the policy in dry run, both of them"


def test_a_metric_that_knows_another_caller_is_one_and_counts_none_of_this(answers):
    """A mesh that names callers wrongly must not be read from elsewhere."""
    answers(TEXT.replace('source_workload="sleep"', 'source_workload="unknown"'))
    assert named_caller(sidecar.stats(None, POD), RIG) == 0


def test_no_statistics_are_a_count_of_zero(answers):
    answers("\n")
    assert total(sidecar.stats(None, POD), {}) == 0


@pytest.mark.parametrize("text", ["<html>oops</html>", "name value", 'a{b="c} 1'])
def test_an_answer_of_another_form_is_an_infrastructure_error(answers, text):
    answers(text)
    with pytest.raises(InfrastructureError, match="shop/cart-1 sent unreadable statistics"):
        sidecar.stats(None, POD)


def test_a_refused_request_is_an_infrastructure_error(answers):
    answers("", 1)
    with pytest.raises(InfrastructureError, match="did not answer stats/prometheus: connection refused"):
        sidecar.stats(None, POD)
