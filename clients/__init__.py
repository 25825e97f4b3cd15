"""How a control is proven: cluster access, probing, convergence and evidence. Knows nothing of pytest."""
