"""Request to outcome: curl in a pod and outside, sessions, browsers, convergence."""
