"""What a federation may learn. A new task is a line here, and a file of its own at the site."""

from __future__ import annotations

from dataclasses import dataclass

from federated.errors import ConsiliumError


@dataclass(frozen=True)
class TaskCard:
    """A task, as both sides know it.

    Attributes:
        name: in configurations and manifests.
        labels: what the federation's labels stand for, in words.
        exchanged: whether the expert network of one site goes to every other, whatever the rule of releases: what
            experts say is fused where an image is.
    """

    name: str
    labels: str
    exchanged: bool


TASKS: dict[str, TaskCard] = {
    card.name: card
    for card in (
        TaskCard("classification", labels="what an image shows", exchanged=False),
        TaskCard("segmentation", labels="structures that are drawn in an image", exchanged=True),
        TaskCard("contour", labels="views in which the left ventricle is outlined", exchanged=True),
        TaskCard("retrieval", labels="what a clip shows", exchanged=True),
        TaskCard("registration", labels="what a clip shows", exchanged=True),
        TaskCard("reconstruction", labels="views of which a heart is made in three dimensions", exchanged=True),
    )
}


def task_card(name: str) -> TaskCard:
    """The task of a name.

    Raises:
        ConsiliumError: there is none.
    """
    if name not in TASKS:
        raise ConsiliumError(f"there is no task '{name}', there are {', '.join(TASKS)}", where="task")
    return TASKS[name]
