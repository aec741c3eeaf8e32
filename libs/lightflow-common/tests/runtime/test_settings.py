"""The engine's settings, typed and checked."""

import pytest

from lightflow.config import Config
from lightflow.core.errors import ConfigFieldError
from lightflow.runtime.settings import EngineSettings


@pytest.mark.parametrize(
    "engine", [{"self_fence": 40.0}, {"lease_interval": 26.0}, {"task_slots": -1}, {"hint_bound": 0}]
)
def test_times_and_counts_that_cannot_work_are_refused_by_name(engine):
    config = Config()
    config.load_from_dict({"engine": engine})
    with pytest.raises(ConfigFieldError, match=f"engine.*{next(iter(engine))}"):
        EngineSettings.from_config(config)
