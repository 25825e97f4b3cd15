"""Held traffic: flows of requests that go on in the cluster, whatever is done to it, and the account of each flow."""
