"""Control planes outside the cluster, as managed and external ones: what of them the cluster shows."""

from __future__ import annotations

from clients.mesh.survey import meshconfig
from clients.mesh.survey.survey import Survey
from clients.model.errors import ClusterError


def runs_elsewhere(survey: Survey) -> bool:
    """Whether the control plane of the revision is outside the cluster: a URL injects, and no Service."""
    return bool(survey.injector and survey.injector.host)


def has_own_configuration(survey: Survey) -> bool:
    """Whether a ConfigMap has the name of the revision's MeshConfig."""
    return meshconfig.is_of(survey.config_maps, survey.revision.name)


def may_read_configuration(survey: Survey) -> bool:
    """Whether this identity may read ConfigMaps of the control plane: then one that it does not see does not exist."""
    try:
        survey.cluster.objects("v1", "ConfigMap", survey.control_namespace)
    except ClusterError:
        return False
    return True
