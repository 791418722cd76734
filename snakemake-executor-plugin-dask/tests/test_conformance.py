"""Snakemake's own tests of executor plugins."""

from __future__ import annotations

from snakemake.common.tests import TestWorkflowsLocalStorageBase

from snakemake_executor_plugin_dask import ExecutorSettings


class TestWorkflows(TestWorkflowsLocalStorageBase):
    __test__ = True

    def get_executor(self) -> str:
        return "dask"

    def get_executor_settings(self) -> ExecutorSettings:
        return ExecutorSettings(threads=2)
