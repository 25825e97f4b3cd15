"""Mutants of workloads and of what runs them: back ends, replicas, the control plane, the rights of a run."""
