"""What a cluster does, tried before the first case: checks of the cluster, of its mesh and of its network."""
