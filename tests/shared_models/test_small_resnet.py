from __future__ import annotations

from typing import Any

import pytest
import torch

from shared_models.small_resnet import small_resnet18

STAGES = ("conv1", "layer1", "layer2", "layer3", "layer4")


def parameters(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.fixture(scope="module")
def paper() -> Any:
    with torch.device("meta"):
        return small_resnet18(8)


def outputs(network: Any, names: tuple[str, ...], side: int, device: str = "cpu") -> list[torch.Size]:
    found: list[torch.Size] = []
    hooks = [network.get_submodule(n).register_forward_hook(lambda _m, _i, out: found.append(out.shape)) for n in names]
    network.eval()(torch.zeros(1, 1, side, side, device=device))
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize(("classes", "count"), [(8, 11_171_784), (15, 11_175_375), (2, 11_167_680 + 513 * 2)])
def test_it_has_the_papers_parameters(classes: int, count: int) -> None:
    with torch.device("meta"):
        assert parameters(small_resnet18(classes)) == count


def test_at_another_width_every_part_follows() -> None:
    def expected(w: int, classes: int) -> int:
        convolutions = (
            9 * w + 36 * w**2 + sum(9 * (2 * a * a + 3 * 2 * a * 2 * a) + 2 * a * a for a in (w, 2 * w, 4 * w))
        )
        norms = 2 * (5 * w + 5 * (2 * w + 4 * w + 8 * w))
        return convolutions + norms + (8 * w + 1) * classes

    assert expected(64, 8) == 11_171_784
    assert parameters(small_resnet18(3, width=6)) == expected(6, 3)


def test_maps_are_halved_three_times(paper: Any) -> None:
    shapes = outputs(paper, STAGES, 112, "meta")
    assert [shape[1] for shape in shapes] == [64, 64, 128, 256, 512]
    assert [tuple(shape[2:]) for shape in shapes] == [(side, side) for side in (112, 112, 56, 28, 14)]


def test_the_stem_is_one_small_convolution_and_no_pooling(paper: Any) -> None:
    assert (paper.conv1.in_channels, paper.conv1.kernel_size, paper.conv1.stride) == (1, (3, 3), (1, 1))
    assert paper.conv1.bias is None
    assert outputs(paper, ("maxpool",), 20, "meta") == [torch.Size((1, 64, 20, 20))]


def test_a_zero_image_stays_zero_up_to_the_classifier() -> None:
    """Without biases, and with batch norms as they begin, nothing comes of nothing."""
    network = small_resnet18(3, width=4).eval()
    assert torch.equal(network(torch.zeros(2, 1, 8, 8)), network.fc.bias.expand(2, -1))


def test_drop_out_is_before_the_classifier_and_in_training_only() -> None:
    network = small_resnet18(2, width=4, dropout=0.5)
    image = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


@pytest.mark.parametrize("width", [0, 5, 130, 10**9, -2])
def test_absurd_widths_are_refused(width: int) -> None:
    with pytest.raises(ValueError, match="a width is even, from 2 to 128"):
        small_resnet18(2, width=width)


@pytest.mark.parametrize(("classes", "width"), [("8", 4), (2, 4.0), (True, 4)])
def test_what_is_no_whole_number_is_a_type_error(classes: Any, width: Any) -> None:
    with pytest.raises(TypeError, match="no whole numbers"):
        small_resnet18(classes, width)
