"""Pods that were found ready, and when they were found to be so no more: they may have served requests until then."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from clients.kube.pods import Pod

Key = tuple[str, str, str]
"""Namespace, name and uid of a pod: a later one may have the same name."""


class ReadyPods:
    """What each look at pods has shown, until it is forgotten. May be used from several threads."""

    def __init__(self) -> None:
        self._ready_at: dict[Key, tuple[Pod, float]] = {}
        self._missed_at: dict[Key, float] = {}
        self._lock = threading.Lock()

    def found(self, pods: Iterable[Pod]) -> None:
        """These are ready now."""
        now = time.monotonic()
        with self._lock:
            for pod in pods:
                self._ready_at[key_of(pod)] = pod, now
                self._missed_at.pop(key_of(pod), None)

    def only(self, namespace: str, labels: Mapping[str, str], pods: Sequence[Pod]) -> None:
        """Of those with these labels, none but these is ready now."""
        self.found(pods)
        there, now = {key_of(pod) for pod in pods}, time.monotonic()
        with self._lock:
            for key, (pod, _) in self._ready_at.items():
                if key not in there and _is_of(pod, namespace, labels):
                    self._missed_at.setdefault(key, now)

    def since(self, namespace: str, labels: Mapping[str, str], since: float) -> list[Pod]:
        """Pods with these labels that were found ready at some time after monotonic `since`; they may be gone."""
        with self._lock:
            found = list(self._ready_at.values())
        return [pod for pod, at in found if at > since and _is_of(pod, namespace, labels)]

    def gone(self, namespace: str, labels: Mapping[str, str], since: float) -> dict[Pod, float]:
        """Pods with these labels that were missed for the first time after monotonic `since`, and are not ready now.

        Each with the monotonic time at which it was last found ready.
        """
        with self._lock:
            return {
                pod: at
                for key, (pod, at) in self._ready_at.items()
                if self._missed_at.get(key, since) > since and _is_of(pod, namespace, labels)
            }

    def forget(self) -> None:
        """Know nothing any more."""
        with self._lock:
            self._ready_at.clear()
            self._missed_at.clear()


def key_of(pod: Pod) -> Key:
    """What distinguishes a pod from all others."""
    return pod.namespace, pod.name, pod.uid


def _is_of(pod: Pod, namespace: str, labels: Mapping[str, str]) -> bool:
    return pod.namespace == namespace and labels.items() <= pod.labels.items()
