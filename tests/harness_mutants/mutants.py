"""All mutants of the harness, by the room whose code is wrong."""

from __future__ import annotations

from tests.harness_mutants import of_clusters, of_elsewhere, of_mesh, of_model, of_probe, of_proof, of_refusal

MUTANTS = (
    *of_model.MUTANTS,
    *of_probe.MUTANTS,
    *of_mesh.MUTANTS,
    *of_refusal.MUTANTS,
    *of_proof.MUTANTS,
    *of_elsewhere.MUTANTS,
    *of_clusters.MUTANTS,
)
