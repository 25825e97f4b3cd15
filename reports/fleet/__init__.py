"""Many clusters in one matrix: the newest run of each, by cluster and control, the worst first."""
