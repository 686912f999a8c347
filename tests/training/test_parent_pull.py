"""Averages and interpolation of adapters, and what pulls a continued one to its parent: small exact cases."""

import pytest
import torch

from pipeline.training.parent import average, pull
from pipeline.training.settings import Pull

torch.manual_seed(0)


def adapter(rank=2, rows=4, columns=5):
    name = "layer.lora_{}.weight"
    return {name.format("A"): torch.randn(rank, columns), name.format("B"): torch.randn(rows, rank)}


def update(tensors):
    return tensors["layer.lora_B.weight"] @ tensors["layer.lora_A.weight"]


def test_ends_of_the_interpolation_are_child_and_parent_as_they_are():
    child, parent = adapter(), adapter()
    assert average.interpolated(child, parent, 1.0) == child
    assert average.interpolated(child, parent, 0.0) == parent


def test_update_is_interpolated_exactly_where_the_rank_allows():
    child, parent = adapter(rank=1), adapter(rank=1)
    one = {
        name: torch.cat([tensor, torch.zeros_like(tensor)], 0 if "_A" in name else 1) for name, tensor in child.items()
    }
    two = {
        name: torch.cat([tensor, torch.zeros_like(tensor)], 0 if "_A" in name else 1) for name, tensor in parent.items()
    }
    torch.testing.assert_close(update(average.interpolated(one, two, 0.3)), 0.3 * update(child) + 0.7 * update(parent))


def test_beyond_the_rank_it_is_the_nearest_update_and_nearer_than_mixed_factors():
    child, parent = adapter(), adapter()
    wanted = 0.5 * update(child) + 0.5 * update(parent)
    found = average.interpolated(child, parent, 0.5)
    lost = torch.linalg.matrix_norm(update(found) - wanted)
    torch.testing.assert_close(lost, torch.linalg.svdvals(wanted)[2:].square().sum().sqrt())
    factors = {name: (child[name] + parent[name]) / 2 for name in child}
    assert lost < torch.linalg.matrix_norm(update(factors) - wanted)
    assert {name: tensor.shape for name, tensor in found.items()} == {n: t.shape for n, t in child.items()}


def test_tensors_that_are_no_factors_are_interpolated_one_by_one():
    found = average.interpolated({"norm.weight": torch.tensor([1.0])}, {"norm.weight": torch.tensor([3.0])}, 0.25)
    assert found["norm.weight"].item() == 2.5


def test_share_with_the_lowest_loss_is_chosen_and_of_equals_the_child():
    assert average.chosen({1.0: 0.3, 0.75: 0.2, 0.5: 0.1, 0.25: 0.4}.__getitem__) == 0.5
    assert average.chosen(lambda share: 0.0) == 1.0


def test_moving_average_is_what_its_definition_says():
    parameter = torch.nn.Parameter(torch.tensor([0.0]))
    moving = average.Moving([parameter], 0.5)
    for value in (1.0, 2.0, 4.0):
        parameter.data.fill_(value)
        moving.add()
    moving.apply()
    assert parameter.item() == pytest.approx((1 * 0.125 + 2 * 0.25 + 4 * 0.5) / 0.875)


def test_moving_average_of_nothing_changes_nothing():
    parameter = torch.nn.Parameter(torch.tensor([3.0]))
    average.Moving([parameter], 0.9).apply()
    assert parameter.item() == 3.0


def held(parameters, **asked):
    return pull.Hold(parameters, Pull(**{"kl": 0.0, "l2": 0.0, "ema": None, "average": False} | asked))


def test_pull_to_the_parents_weights_is_the_gradient_of_the_squared_distance():
    parameter = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    hold = held([parameter], l2=0.1)
    parameter.data += torch.tensor([0.5, -1.0])
    parameter.grad = torch.zeros(2)
    hold.add_gradient()
    torch.testing.assert_close(parameter.grad, torch.tensor([0.1, -0.2]))


def test_the_parent_is_there_for_a_moment_and_the_child_comes_back():
    parameter = torch.nn.Parameter(torch.tensor([1.0]))
    hold = held([parameter])
    parameter.data += 5
    with hold.parent():
        assert parameter.item() == 1.0
    assert parameter.item() == 6.0


def test_moving_average_goes_on_from_a_checkpoint():
    parameters = [[torch.nn.Parameter(torch.zeros(2))] for _ in range(2)]
    whole, first = (held(p, ema=0.8) for p in parameters)
    for value in (1.0, 2.0, 5.0):
        if value == 5.0:
            resumed = held(parameters[1], ema=0.8)
            resumed.restore(first.tensors())
            first = resumed
        for (parameter,), hold in zip(parameters, (whole, first), strict=True):
            parameter.data.fill_(value)
            hold.stepped()
    whole.finish()
    first.finish()
    torch.testing.assert_close(parameters[0][0], parameters[1][0], rtol=0, atol=0)


def test_the_average_is_there_for_a_moment_and_the_own_weights_come_back():
    parameter = torch.nn.Parameter(torch.tensor([0.0]))
    hold = held([parameter], ema=0.5)
    for value in (1.0, 2.0):
        parameter.data.fill_(value)
        hold.stepped()
    with hold.averaged():
        assert parameter.item() == pytest.approx((1 * 0.25 + 2 * 0.5) / 0.75)
    assert parameter.item() == 2.0
    with held([parameter], l2=0.1).averaged():
        assert parameter.item() == 2.0


def test_nothing_asked_holds_nothing():
    assert pull.hold([], Pull(kl=0.0, l2=0.0, ema=None, average=False)) is None


def test_divergence_is_the_parents_and_nothing_between_equals():
    parent, own = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    p = torch.softmax(parent, -1)
    q = torch.softmax(own, -1)
    torch.testing.assert_close(pull.divergence(own, parent), (p * (p / q).log()).sum())
    assert pull.divergence(parent, parent).item() == pytest.approx(0.0, abs=1e-7)
