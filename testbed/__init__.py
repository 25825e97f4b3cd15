"""The embedded cluster: a real Kubernetes, Calico, Istio and Envoy on one machine, built from package registries alone."""
