"""A study on a dask.distributed cluster, one of whose workers is killed on the way: the same table."""

import os
import signal
import threading
from importlib.metadata import PackageNotFoundError

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.sim.studies.explore import running, workers
from bisparse.sim.studies.explore.loading import space_of_data

import bisparse

pytest.importorskip("simpleeval")
distributed = pytest.importorskip("distributed")

SWEEP = {
    "name": "dask",
    "base": {
        "hardware": "sat-vcu1525", "workload": "resnet9-cifar10", "recipe": "bdwp", "sparsity": "2:8", "batch": 16,
    },
    "axes": {
        "hardware.tensor_engine.rows": [16, 32],
        "hardware.dram.channels": [1, 2, 4],
        "hardware.reduction_engine.lanes": [4, 8, 16, 32],
    },
    "objectives": [{"minimise": "step_seconds"}, {"minimise": "energy_joules"}],
}  # fmt: skip
EIGHT_DESIGNS = SWEEP | {"axes": SWEEP["axes"] | {"hardware.dram.channels": [4]}}
VERSION = bisparse.__version__


def test_a_worker_that_is_killed_costs_time_not_results(tmp_path, monkeypatch):
    space = space_of_data(SWEEP, version=VERSION)
    alone = running.run(space, None, version=VERSION, jobs=1)
    monkeypatch.setattr(running, "LARGEST_CHUNK", 4)
    monkeypatch.setattr(running, "SMALLEST_CHUNK", 4)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        victim = next(iter(cluster.workers.values())).pid
        killed, said = threading.Event(), []

        def told(task, done, of):
            said.append(task)
            if done and not killed.is_set():
                killed.set()
                os.kill(victim, signal.SIGKILL)

        study = running.run(space, tmp_path, version=VERSION, dask=cluster.scheduler_address, told=told)
    assert killed.is_set()
    assert study.table.equals(alone.table)
    assert study.meta["runs_computed"] == len(alone.table)
    assert said[-1] == "dask: runs, 1 worker lost"


def test_a_scheduler_that_is_gone_is_told_and_what_was_finished_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(running, "LARGEST_CHUNK", 4)
    monkeypatch.setattr(running, "SMALLEST_CHUNK", 4)
    space = space_of_data(EIGHT_DESIGNS, version=VERSION)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
    ) as cluster:

        def told(task, done, of):
            if done:
                cluster.close()

        with pytest.raises(ConfigError, match="dask: got no answer from the scheduler any more"):
            running.run(space, tmp_path, version=VERSION, dask=cluster.scheduler_address, told=told)
    rest = running.run(space, tmp_path, version=VERSION, jobs=1, resume=True)
    assert rest.meta["runs_reused"] == 4


def test_a_worker_without_bisparse_is_told_before_anything_is_sent(monkeypatch):
    def lacking(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(workers, "installed", lacking)
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None, silence_logs=50) as cluster,
        pytest.raises(ConfigError, match=f"dask: got a worker at .* without bisparse, need bisparse {VERSION} there"),
    ):
        running.run(space_of_data(SWEEP, version=VERSION), None, version=VERSION, dask=cluster.scheduler_address)


def test_an_address_with_tls_needs_certificates():
    with pytest.raises(ConfigError, match=r"dask: got tls://127\.0\.0\.1:1 without certificates, need those"):
        running.run(space_of_data(SWEEP, version=VERSION), None, version=VERSION, dask="tls://127.0.0.1:1")


def test_workers_of_another_version_are_told_before_anything_is_sent():
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None, silence_logs=50) as cluster,
        pytest.raises(ConfigError, match=f"with bisparse {VERSION}, need 0.0; try the same version everywhere"),
    ):
        running.run(space_of_data(SWEEP, version="0.0"), None, version="0.0", dask=cluster.scheduler_address)


def test_an_address_where_nothing_answers_is_told_and_leaves_no_store(monkeypatch, tmp_path):
    monkeypatch.setattr(workers, "CONNECT_SECONDS", 1)
    space = space_of_data(SWEEP, version=VERSION)
    with pytest.raises(ConfigError, match=r"dask: got nothing at tcp://127\.0\.0\.1:9"):
        running.run(space, tmp_path, version=VERSION, dask="tcp://127.0.0.1:9")
    assert list(tmp_path.iterdir()) == []
