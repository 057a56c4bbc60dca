"""Networks of timm by name: only names that timm itself holds, never weights from anywhere."""

from __future__ import annotations

from typing import Any


def timm_network(architecture: str, classes: int, **options: float | tuple[int, ...]) -> Any:
    """A network with random weights from torch's generator.

    Args:
        architecture: timm's name.
        classes: of the classifier; 0 leaves it out.
        options: what timm calls them, as ``in_chans``, ``drop_rate`` and ``out_indices``.

    Raises:
        ValueError: timm has no such architecture, or it cannot be made like this.
    """
    from shared_models.torchvision_operators import load_torchvision

    load_torchvision()  # timm imports it
    import timm

    if not timm.is_model(architecture):  # which also keeps out names that stand for a hub
        raise ValueError(f"timm has no architecture '{architecture}'")
    create: Any = timm.create_model
    try:
        return create(architecture, pretrained=False, num_classes=classes, **options)
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(f"architecture '{architecture}' cannot be made ({first_line(error)})") from error


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0].strip()
