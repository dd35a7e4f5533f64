"""Which worker of pytest-xdist runs which module: one process each, also after a crash.

xdist 3.8's LoadScopeScheduling does not get over a worker that crashes: it hands on modules
that are done, for which the next worker waits for ever (pytest-dev/pytest-xdist issues 784,
1323 and 1378); it leaves a new worker that has one test waiting for a second one (1327); it
runs the test that crashed again, until no more workers may be started (pull request 1371);
and it gives tests to a worker that has not collected any yet, which a second crash meets.
"""

from collections.abc import Sequence

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

AHEAD = 2  # tests; a worker begins one when it knows the next, or that there is none


class ModuleScheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """LoadFileScheduling that goes on after a worker's crash with what is left."""

    def remove_node(self, node: WorkerController) -> str | None:
        """Take back what an ended worker has not done; return the test in which it crashed."""
        if self.collection is None:  # the run waits for one more collection
            self.registered_collections.pop(node, None)
        units = self.assigned_work.pop(node)
        crashed = _first_left(units)
        if crashed is None:
            return None
        units[self._split_scope(crashed)][crashed] = True  # it has failed: not once more
        self.workqueue.update((scope, unit) for scope, unit in units.items() if _left(unit))
        for other in self.nodes:
            self._reschedule(other)
        return crashed

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Note what a worker has collected; one that came late with other tests gets none."""
        super().add_node_collection(node, collection)
        if node not in self.registered_collections:
            node.shutdown()

    def _reschedule(self, node: WorkerController) -> None:
        if node not in self.registered_collections:
            return
        super()._reschedule(node)
        while not node.shutting_down and self._pending_of(self.assigned_work[node]) < AHEAD:
            super()._reschedule(node)


def _left(unit: dict[str, bool]) -> list[str]:
    return [test for test, done in unit.items() if not done]


def _first_left(units: dict[str, dict[str, bool]]) -> str | None:
    return next((test for unit in units.values() for test in _left(unit)), None)
