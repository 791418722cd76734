"""Snakemake's own tests of executor plugins."""

from __future__ import annotations

from pathlib import Path

import pytest
from snakemake.common.tests import TestWorkflowsLocalStorageBase

from snakemake_executor_plugin_dask import ExecutorSettings


class TestWorkflows(TestWorkflowsLocalStorageBase):
    __test__ = True

    def get_executor(self) -> str:
        return "dask"

    @pytest.mark.slow
    def test_group_workflow(self, tmp_path: Path) -> None:
        super().test_group_workflow(tmp_path)

    def get_executor_settings(self) -> ExecutorSettings:
        return ExecutorSettings(threads=2)
