"""Which experts a site can train, measure and apply by itself."""

from __future__ import annotations

import pytest

from federated.errors import ConsiliumError
from site_agent.home import SiteHome
from site_agent.learning import LEARNING, TRAINING, batch_named, learning, training
from site_agent.tasks import TASKS


def test_every_task_of_a_federation_can_be_trained_at_the_command() -> None:
    assert set(TASKS) - {"classification"} <= set(LEARNING)
    assert set(TRAINING) == {"views", *LEARNING}


def test_what_there_is_none_of_is_told_with_what_there_is() -> None:
    with pytest.raises(ConsiliumError, match="--task: there is no task 'knitting', there are views, "):
        training("knitting")
    with pytest.raises(ConsiliumError, match="--task: there is no task 'views', there are "):
        learning("views")


def test_without_images_there_is_no_batch(home: SiteHome) -> None:
    with pytest.raises(ConsiliumError, match="no images yet; consilium site ingest FOLDER"):
        batch_named(home, "")
