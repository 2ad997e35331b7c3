"""Our shape rules against torch's own: same shapes, strides and dtypes, or left to torch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archscope.trace.operators import operator
from archscope.trace.shapes import shape_rule

aten = torch.ops.aten
sizes = st.integers(1, 7)


def meta(*shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, device="meta")


def described(result):
    results = result if isinstance(result, tuple | list) else [result]
    return [None if t is None else (tuple(t.shape), t.stride(), t.dtype) for t in results]


def agrees(func, *args, **kwargs):
    """Whether the rule answered; if it did, it must agree with torch."""
    rule = shape_rule(operator(func).name, func._overloadname)
    ours = rule(*args, **kwargs)
    if ours is NotImplemented:
        return False
    assert described(ours) == described(func(*args, **kwargs))
    return True


@given(
    batch=sizes,
    channels=st.tuples(sizes, sizes),
    groups=st.integers(1, 3),
    length=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    data=st.data(),
)
@settings(deadline=None, max_examples=200)
def test_convolution(batch, channels, groups, length, data):
    axes = len(length)
    along = st.lists(st.integers(1, 4), min_size=axes, max_size=axes)
    kernel, stride, dilation = data.draw(along), data.draw(along), data.draw(along)
    padding = data.draw(st.lists(st.integers(0, 3), min_size=axes, max_size=axes))
    x = meta(batch, channels[0] * groups, *length)
    weight = meta(channels[1] * groups, channels[0], *kernel)
    bias = data.draw(st.sampled_from([None, meta(channels[1] * groups)]))
    args = (x, weight, bias, stride, padding, dilation, False, [0] * axes, groups)
    rule = shape_rule("convolution", "default")
    if rule(*args) is NotImplemented:
        with pytest.raises(RuntimeError):  # only what torch refuses is left to it here
            aten.convolution.default(*args)
    else:
        assert agrees(aten.convolution.default, *args)
        out = rule(*args)
        for mask in ([True, True, True], [False, True, False]):
            backward = (out, x, weight, [weight.shape[0]], *args[3:], mask)
            assert agrees(aten.convolution_backward.default, *backward)


@given(st.integers(1, 30), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), st.booleans())
@settings(deadline=None, max_examples=200)
def test_pooling(length, kernel, stride, padding, ceil_mode):
    x = meta(2, 3, length, 30)
    for func, extra in (
        (aten.max_pool2d_with_indices.default, ([1, 1], ceil_mode)),
        (aten.avg_pool2d.default, (ceil_mode,)),
    ):
        args = (x, [kernel, kernel], [stride, stride], [padding, padding], *extra)
        plain = length + 2 * padding >= kernel and 2 * padding <= kernel
        assert not plain or agrees(func, *args)


@given(sizes, sizes, sizes, sizes)
@settings(deadline=None, max_examples=30)
def test_products(b, m, k, n):
    assert agrees(aten.mm.default, meta(m, k), meta(k, n))
    assert agrees(aten.addmm.default, meta(n), meta(m, k), meta(k, n))
    assert agrees(aten.bmm.default, meta(b, m, k), meta(b, k, n))
    assert agrees(aten.mm.default, meta(m, k), meta(n, k).t())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("training", [True, False])
def test_normalisation(dtype, training):
    x = meta(4, 6, 5, 5, dtype=dtype)
    channel = [meta(6) for _ in range(4)]
    assert agrees(aten.native_batch_norm.default, x, *channel, training, 0.1, 1e-5)
    rows = meta(4, 7, 6, dtype=dtype)
    scale = meta(6, dtype=dtype)
    assert agrees(aten.native_layer_norm.default, rows, [6], scale, scale, 1e-5)


def test_elementwise():
    x, wide = meta(3, 4, 5), meta(2, 3, 4, 5).to(memory_format=torch.channels_last)
    for tensor in (x, wide):
        assert agrees(aten.add.Tensor, tensor, tensor)
        assert agrees(aten.mul.Tensor, tensor, 2.0)
        assert agrees(aten.pow.Tensor_Scalar, tensor, 3)
        assert agrees(aten.gelu.default, tensor, approximate="tanh")
        assert agrees(aten.threshold_backward.default, tensor, tensor, 0)
    # Promotion and gaps are torch's affair.
    assert not agrees(aten.add.Tensor, x, meta(3, 4, 5, dtype=torch.float64))
    assert not agrees(aten.mul.Tensor, meta(3, 8)[:, ::2], 2.0)
    assert not agrees(aten.div.Tensor, meta(3, dtype=torch.int64), 2)


@given(shape=st.lists(st.integers(0, 3), min_size=1, max_size=5), data=st.data())
@settings(deadline=None, max_examples=100)
def test_broadcasting(shape, data):
    def operand():
        last = shape[data.draw(st.integers(0, len(shape))) :]
        return meta(*(size if data.draw(st.booleans()) else 1 for size in last))

    assert agrees(aten.mul.Tensor, operand(), operand())


@st.composite
def strided(draw, *shape, dtype=torch.float32):
    """A tensor of that shape, its axes in any order in memory and with gaps between."""
    order = draw(st.permutations(range(len(shape))))
    held = meta(*(shape[axis] + draw(st.integers(0, 1)) for axis in order), dtype=dtype)
    part = held[tuple(slice(0, shape[axis]) for axis in order)]
    return part.permute([order.index(axis) for axis in range(len(shape))])


@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=4), data=st.data())
@settings(deadline=None, max_examples=200)
def test_layouts(shape, data):
    dtype = data.draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float64]))
    x = data.draw(strided(*shape, dtype=dtype))
    last = shape[data.draw(st.integers(0, len(shape) - 1)) :]
    scale = data.draw(st.sampled_from([None, meta(*last, dtype=dtype)]))
    agrees(aten.native_layer_norm.default, x, last, scale, scale, 1e-5)
    agrees(aten.cat.default, [x, data.draw(strided(*shape, dtype=dtype))], 0)
    channels = meta(2 * shape[0], dtype=dtype)
    image = data.draw(strided(3, 2 * shape[0], *shape[1:], dtype=dtype))
    area = image.numel() // (6 * shape[0])
    agrees(aten.native_group_norm.default, image, channels, None, 3, 2 * shape[0], area, 2, 1e-5)


def test_common_layouts_need_not_ask_torch():
    image = meta(2, 5, 7, 6).permute(0, 3, 1, 2)
    assert agrees(aten.native_layer_norm.default, image.permute(0, 2, 3, 1), [6], None, None, 1e-5)
    assert agrees(aten.native_layer_norm.default, meta(2, 6, 9).mT, [6], meta(6), meta(6), 1e-5)
    assert agrees(aten.native_group_norm.default, meta(2, 6, 9), None, None, 2, 6, 9, 3, 1e-5)
    assert agrees(aten.cat.default, [meta(2, 3, 8)[:, :, :5], meta(2, 4, 5)], 1)


@given(st.lists(sizes, min_size=1, max_size=4), st.integers(-3, 2))
@settings(deadline=None, max_examples=40)
def test_joining_and_reducing(parts, dim):
    tensors = []
    for part in parts:
        shape = [2, 3, 4]
        shape[dim] = part
        tensors.append(meta(*shape))
    assert agrees(aten.cat.default, tensors, dim)
    for keepdim in (True, False):
        assert agrees(aten.sum.dim_IntList, meta(2, 3, 4), [dim, (dim + 1) % 3 - 3][:1], keepdim)
        assert agrees(aten.mean.dim, meta(2, 3, 4), [0, 2], keepdim)
