"""Lets torchvision load beside a torch it was not built for.

Where torch is a CPU build and torchvision the registry's CUDA build, ``import torchvision`` fails because two operators
have no schema. Declaring them is enough for transforms and for timm; detection operators then have no kernel.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

MISSING = "operator torchvision::nms does not exist"
SCHEMAS = ("nms", "qnms")
_declared: list[Any] = []  # PyTorch takes the schemas back when the library object dies


def load_torchvision() -> ModuleType:
    """The torchvision module; its operators are declared only after an import failed for want of them."""
    try:
        import torchvision
    except RuntimeError as error:
        if MISSING not in str(error):
            raise
        _declare_operators()
        import torchvision
    return torchvision


def _declare_operators() -> None:
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for name in SCHEMAS:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]  # halves of the failed import
