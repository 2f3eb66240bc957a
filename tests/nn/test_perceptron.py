"""The perceptron written out in NumPy, against torch."""

import numpy as np
import pytest

from esgml.nn.perceptron import Perceptron, dueling

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")


def twin(net):
    layers = []
    for name in net.names:
        w = net.weights[f"{name}.weight"]
        layer = torch.nn.Linear(w.shape[1], w.shape[0])
        layer.weight.data = torch.from_numpy(w.copy())
        layer.bias.data = torch.from_numpy(net.weights[f"{name}.bias"].copy())
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def test_outputs_gradients_and_steps_are_those_of_torch():
    rng = np.random.default_rng(0)
    net = Perceptron((5, 16, 8, 3), rng)
    other = twin(net)
    adam = torch.optim.Adam(other.parameters(), lr=0.01, eps=1e-5)
    for step in range(20):
        x = rng.standard_normal((12, 5)).astype(np.float32)
        goal = rng.standard_normal((9, 3)).astype(np.float32)
        out = net.forward(x, keep=9)
        seen = other(torch.from_numpy(x))
        assert np.allclose(out, seen.detach().numpy(), atol=2e-5)
        loss = torch.nn.functional.smooth_l1_loss(seen[:9], torch.from_numpy(goal), reduction="sum")
        adam.zero_grad()
        loss.backward()
        net.backward(np.clip(out[:9] - goal, -1, 1))
        expected = np.concatenate([p.grad.numpy().ravel() for p in other.parameters()])
        assert np.allclose(net.gradient, expected, atol=1e-4), f"step {step}"
        clip = 0.5 if step % 2 else np.inf
        torch.nn.utils.clip_grad_norm_(other.parameters(), clip)
        adam.step()
        net.adam(0.01, clip)
    flat = np.concatenate([p.detach().numpy().ravel() for p in other.parameters()])
    assert np.allclose(net.flat, flat, atol=1e-4)


def test_rows_that_are_not_kept_leave_no_gradient():
    net = Perceptron((2, 4, 1), np.random.default_rng(0))
    x = np.ones((6, 2), np.float32)
    net.forward(x, keep=2)
    net.backward(np.ones((2, 1), np.float32))
    first = net.gradient.copy()
    net.forward(x[:2], keep=2)
    net.backward(np.ones((2, 1), np.float32))
    assert np.array_equal(first, net.gradient)


def test_following_another_network():
    a, b = (Perceptron((2, 3, 1), np.random.default_rng(s)) for s in (0, 1))
    middle = (a.flat + b.flat) / 2
    a.move_to(b, 0.5)
    assert np.allclose(a.flat, middle, atol=1e-6)
    a.move_to(b)
    assert np.array_equal(a.flat, b.flat)


def test_dueling_adds_advantages_without_their_mean():
    out = np.array([[10.0, 1.0, 2.0, 6.0]])
    assert dueling(out).tolist() == [[8.0, 9.0, 13.0]]
