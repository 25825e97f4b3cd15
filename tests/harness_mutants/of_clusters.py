"""Mutants of what fits a run into a cluster of others: clocks, nodes, labels, firewalls, forwarded ports, IPv6."""

from __future__ import annotations

from tests.harness_mutants.mutant import HarnessMutant

MUTANTS = (
    HarnessMutant(
        "tokens-are-made-by-this-machines-clock",
        "runner/target/assemble.py",
        "clock = ClusterTime.read(cluster).now",
        "clock = __import__('time').time",
        ("runner/target/test_assemble.py",),
    ),
    HarnessMutant(
        "the-clusters-time-is-this-machines",
        "clients/kube/cluster_time.py",
        "return self.seconds + time.monotonic() - self.read_at",
        "return time.time()",
        ("identity",),
    ),
    HarnessMutant(
        "copies-of-an-earlier-stage-count",
        "clients/proof/logs/copies.py",
        "began = proving.running.since + ahead",
        "began = ahead",
        ("proof/test_copies.py",),
    ),
    HarnessMutant(
        "any-node-will-do",
        "runner/target/fitting.py",
        "wanted = {**({} if own else LINUX), **given}",
        "wanted = dict(given)",
        ("runner/target/test_fitting_settings.py",),
    ),
    HarnessMutant(
        "any-label-of-pods-may-be-set",
        "runner/config/fitting_settings.py",
        "if name in {*names, MANAGED_BY_LABEL} or any(",
        "if name == MANAGED_BY_LABEL or any(",
        ("runner/config/test_demanded_labels.py",),
    ),
    HarnessMutant(
        "a-shut-port-is-dialled",
        "clients/probe/way_in.py",
        "if port in self.shut:\n            return False",
        "if port in self.shut and not status:\n            return False",
        ("probe/test_way_in.py",),
    ),
    HarnessMutant(
        "no-port-is-shut",
        "clients/proof/preflight/network_checks.py",
        "if not any(ways_in.answers(host, port) for host in hosts))",
        "if not hosts)",
        ("runner/target/test_preflight.py",),
    ),
    HarnessMutant(
        "an-api-server-that-goes-away-is-the-pods-end",
        "clients/kube/forwarded.py",
        "if status == _NORMAL:",
        "if status:",
        ("kube/test_port_forward.py",),
    ),
    HarnessMutant(
        "a-broken-connection-is-the-pods-end",
        "clients/kube/forwarded.py",
        'return f"the connection to the API server broke: {error or type(error).__name__}"',
        'return ""',
        ("kube/test_port_forward.py",),
    ),
    HarnessMutant(
        "an-answer-that-was-cut-off-counts",
        "clients/proof/rig/entering.py",
        "return infrastructure(outcome.request_id, why) if why and not whole else outcome",
        "return infrastructure(outcome.request_id, why) if why and outcome.status is None else outcome",
        ("proof/test_entering.py",),
    ),
    HarnessMutant(
        "a-digest-of-one-node-is-that-of-all",
        "runner/commands/images.py",
        "if len(digests) == 1 else",
        "if digests else",
        ("runner/commands/test_images.py",),
    ),
    HarnessMutant(
        "servers-listen-by-ipv4-alone",
        "clients/apply/fitting.py",
        "if self.families.ipv6_first:",
        "if False:",
        ("apply",),
    ),
)
