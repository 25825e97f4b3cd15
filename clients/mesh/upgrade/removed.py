"""Variables of istiod and of proxies that a minor does not know any more: a mesh that sets one loses its effect."""

from __future__ import annotations

from collections.abc import Mapping

REMOVED: Mapping[int, tuple[str, ...]] = {
    24: (
        "ENABLE_EXTERNAL_NAME_ALIAS",
        "PERSIST_OLDEST_FIRST_HEURISTIC_FOR_VIRTUAL_SERVICE_HOST_MATCHING",
        "PILOT_ENABLE_STATUS",
        "REQUIRE_3P_TOKEN",
        "VERIFY_CERTIFICATE_AT_CLIENT",
    ),
    25: (
        "ENABLE_ENHANCED_RESOURCE_SCOPING",
        "ENABLE_RESOLUTION_NONE_TARGET_PORT",
        "PROXY_XDS_DEBUG_VIA_AGENT",
        "PROXY_XDS_DEBUG_VIA_AGENT_PORT",
    ),
    26: ("ENABLE_AUTO_SNI", "ENABLE_DEFERRED_CLUSTER_CREATION", "ENABLE_DELIMITED_STATS_TAG_REGEX"),
    27: (
        "BYPASS_OVERLOAD_MANAGER_FOR_STATIC_LISTENERS",
        "ENABLE_DEFERRED_STATS_CREATION",
        "ENABLE_INBOUND_RETRY_POLICY",
        "EXCLUDE_UNSAFE_503_FROM_DEFAULT_RETRY",
        "PILOT_STATUS_BURST",
        "PILOT_STATUS_QPS",
        "PILOT_STATUS_UPDATE_INTERVAL",
    ),
    28: ("METRIC_GRACEFUL_DELETION_INTERVAL", "METRIC_ROTATION_INTERVAL"),
    31: ("PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY", "UNSAFE_PILOT_ENABLE_DELTA_TEST"),
}
"""Minor → names, by the sources of Istio: registered in the branch of the minor before, and nowhere in this one's."""
