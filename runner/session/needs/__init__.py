"""What the cases of a run need of the cluster, and by what excuse a case is skipped."""
