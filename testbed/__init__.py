"""The embedded cluster: a real Kubernetes, Calico, Istio and Envoy on one machine, from package registries alone."""
