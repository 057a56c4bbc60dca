"""The small-image ResNet-18: no pixel is lost before the first block.

He et al., "Deep residual learning for image recognition" (CVPR 2016), with the stem that is customary for small images:
one 3x3 convolution of stride 1 and no max-pooling (Bransby et al., step 1). The blocks and their names are timm's.
"""

from __future__ import annotations

from typing import Any

WIDTHS = range(2, 129, 2)
STAGES = (2, 2, 2, 2)


def small_resnet18(classes: int, width: int = 64, dropout: float = 0.1) -> Any:
    """(n, 1, S, S) to (n, C) logits; stages of w, 2w, 4w and 8w channels on maps of S, S/2, S/4 and S/8 pixels.

    With w = 64 it has 11,167,680 + 513 C parameters. Its weights are random, from torch's generator.

    Args:
        classes: C.
        width: w; the paper's is 64.
        dropout: share of the pooled features that training leaves out before the classifier.

    Raises:
        TypeError: classes or width are no whole numbers.
        ValueError: an odd width, or one that is far too large.
    """
    from shared_models.torchvision_operators import load_torchvision

    if type(classes) is not int or type(width) is not int:
        raise TypeError(f"{classes!r} classes and width {width!r} are no whole numbers")
    if width not in WIDTHS or classes < 1:
        raise ValueError(f"{classes} classes at width {width}: a width is even, from {WIDTHS[0]} to {WIDTHS[-1]}")
    load_torchvision()  # timm imports it
    from timm.models import resnet
    from torch import nn

    make: Any = resnet.ResNet
    network = make(
        resnet.BasicBlock,
        STAGES,
        num_classes=classes,
        in_chans=1,
        stem_type="deep",  # the one kind whose width is free; all but its batch norm is replaced
        stem_width=width // 2,
        channels=(width, 2 * width, 4 * width, 8 * width),
        drop_rate=dropout,
    )
    network.conv1 = nn.Conv2d(1, width, kernel_size=3, stride=1, padding=1, bias=False)
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")  # as timm's other convolutions
    network.maxpool = nn.Identity()
    return network
