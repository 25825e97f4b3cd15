"""The proof steps: each is one function that looks at a case whose outcome has converged."""
