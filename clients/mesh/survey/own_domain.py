"""DNS domain of the cluster, as its mesh has it."""

from __future__ import annotations

from clients.mesh.survey.injected import stated_domain
from clients.mesh.survey.survey import Survey
from clients.model import cluster_domain


def own_domain(survey: Survey) -> str:
    """That of the chosen revision's istiod, or of the proxies where no istiod is seen; else the usual one.

    Each has it as an argument, by the chart's `global.proxy.clusterDomain`, and names its hosts by it.
    """
    for deployment in survey.istiods:
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            if domain := stated_domain(container):
                return domain
    proxy = None if survey.istiods else survey.proxy
    return (proxy.domain if proxy else "") or cluster_domain.DEFAULT
