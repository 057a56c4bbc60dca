"""The U-Net has the shapes that it is asked for, and learns a square."""

from __future__ import annotations

import pytest
import torch

from shared_models.unet import bottom_of, stride_of, unet


@pytest.mark.parametrize(("classes", "side", "levels"), [(2, 16, 2), (4, 32, 4)])
def test_logits_of_every_pixel(classes: int, side: int, levels: int) -> None:
    network = unet(classes, side, width=4, levels=levels)
    assert network(torch.zeros((3, 1, side, side))).shape == (3, classes, side, side)


def test_it_grows_with_its_width() -> None:
    small, large = (sum(part.numel() for part in unet(4, 32, width=width).parameters()) for width in (8, 16))
    assert 3.5 < large / small < 4.1


def test_every_channel_of_every_image_is_normalised_by_itself() -> None:
    torch.manual_seed(0)
    network, given = unet(2, 16, width=4, levels=2), torch.randn((3, 1, 16, 16))
    pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
    for layer in network.modules():
        if isinstance(layer, torch.nn.GroupNorm):
            layer.register_forward_hook(lambda _layer, read, out: pairs.append((read[0].clone(), out.clone())))
    network(given)
    assert pairs
    for read, out in pairs:
        assert torch.allclose(out, torch.nn.functional.instance_norm(read), atol=1e-5)


def test_its_state_is_that_of_the_network_with_instance_norm() -> None:
    from monai.networks.nets import UNet

    plain = UNet(2, 1, 2, [4, 8], [2], act=("leakyrelu", {"negative_slope": 0.01}), norm="instance")
    ours, given = unet(2, 16, width=4, levels=2), torch.randn((2, 1, 16, 16))
    missing = ours.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all(name.startswith("reference_") for name in missing.missing_keys)
    assert torch.allclose(ours(given), plain(given), atol=1e-5)


@pytest.mark.parametrize(("classes", "side", "levels"), [(2, 20, 4), (2, 4, 4), (1, 32, 4), (2, 32, 1)])
def test_what_does_not_fit(classes: int, side: int, levels: int) -> None:
    with pytest.raises(ValueError, match="U-Net of"):
        unet(classes, side, levels=levels)


def test_the_stride() -> None:
    assert [stride_of(levels) for levels in (2, 4, 5)] == [2, 8, 16]


def test_it_learns_where_a_square_is() -> None:
    torch.manual_seed(0)
    images, truth = torch.rand((4, 1, 16, 16)) * 0.2, torch.zeros((4, 16, 16), dtype=torch.long)
    for number in range(4):
        images[number, :, number : number + 6, 3:9] += 1
        truth[number, number : number + 6, 3:9] = 1
    network = unet(2, 16, width=4, levels=2)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(images), truth).backward()
        optimiser.step()
    assert (network(images).argmax(dim=1) == truth).float().mean() > 0.95


@pytest.mark.parametrize("levels", [2, 3])
def test_the_bottom_is_the_deepest_level(levels: int) -> None:
    network, seen = unet(2, 16, width=4, levels=levels), []
    bottom_of(network).register_forward_hook(lambda _module, _given, out: seen.append(out))
    network(torch.zeros((1, 1, 16, 16)))
    stride = stride_of(levels)
    assert [tuple(out.shape) for out in seen] == [(1, 4 * stride, 16 // stride, 16 // stride)]
