"""Every Triton kernel compiles to machine code for NVIDIA GPUs, which needs no GPU."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from beyondrate.ops.backend import triton_devices
from beyondrate.ops.delay import DELAY_MODES
from beyondrate.ops.lif import SURROGATES

pytestmark = pytest.mark.skipif(
    triton_devices() != ("cuda",), reason="Triton is not installed, or only interprets"
)

POINTERS = {
    torch.float32: "*fp32",
    torch.float64: "*fp64",
    torch.bfloat16: "*bf16",
    torch.int32: "*i32",
    torch.int64: "*i64",
    torch.uint8: "*u8",
}
# compute capability, type, and (batch, time, unit): Triton compiles numbers that are 1 for themselves
TARGETS = [(80, torch.float64, (1, 1, 1)), (90, torch.float32, (2, 3, 5))]

for_targets = pytest.mark.parametrize(("capability", "dtype", "size"), TARGETS, ids=str)


@pytest.fixture
def compiled(capability, monkeypatch, tmp_path):
    """The names of the kernels that were compiled instead of started."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from beyondrate.ops import cuda

    names = set()

    def compile_only(kernel, grid, tensors, numbers):
        types = [POINTERS[tensor.dtype] for tensor in tensors]
        signature = dict(zip(kernel.arg_names, types, strict=False)) | {
            parameter.name: "constexpr" if parameter.is_constexpr or numbers[parameter.name] == 1 else "i32"
            for parameter in kernel.params[len(tensors) :]
        }
        constants = {name: numbers[name] for name, kind in signature.items() if kind == "constexpr"}
        source = ASTSource(kernel, signature, constants)
        options = {"enable_fp_fusion": False, "num_warps": numbers.get("num_warps", 4)}
        done = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
        assert len(done.asm["cubin"]) > 1000
        names.add(kernel.__name__)

    monkeypatch.setattr(cuda, "_start", compile_only)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    return names


@for_targets
def test_lif(compiled, size, dtype):
    from beyondrate.ops.lif import cuda

    batch, _, unit = size
    x, decay, state = (torch.zeros(shape, dtype=dtype) for shape in (size, unit, (batch, unit)))
    options = (False, False, True, True), (False, True, False, True), (True, False, False, True), SURROGATES
    for filtered, soft, through_reset, surrogate in zip(*options, strict=True):
        current_decay, state_u = (decay, state) if filtered else (decay[:0], state[:, :0])
        parameters = decay, current_decay, state, state_u, soft, through_reset, surrogate, 10.0
        cuda.lif(x, *parameters)
        cuda.lif_backward(x, state, state_u, x, *parameters)
    cuda.leaky_integrate(x, decay, state)
    cuda.leaky_integrate_backward(x, x, decay, state)
    assert compiled == {"_lif_forward", "_lif_backward", "_leaky_forward", "_leaky_backward"}


@for_targets
def test_sparse_linear(compiled, size, dtype):
    from beyondrate.ops.sparse_linear import cuda

    indptr, units = torch.tensor([0, 1, 3]), torch.tensor([0, 1, 0], dtype=torch.int32)
    for number, n_out in itertools.product((dtype, torch.bfloat16), (1, 20, 200)):
        out = cuda.sparse_linear(indptr, units, torch.zeros(n_out, 4, dtype=number), None)
        cuda.sparse_linear_backward(indptr, units, out, 4)
    assert compiled == {"_gather_sum"}


@for_targets
def test_delay(compiled, size, dtype):
    from beyondrate.ops.delay import cuda

    x, delays = torch.zeros(size, dtype=dtype), torch.zeros(size[2], dtype=dtype)
    for mode in DELAY_MODES:
        cuda.delay(x, delays, mode, 0)
        cuda.delay_backward(x, x, delays, mode, 0)
    assert compiled == {"_delay_forward", "_delay_backward"}


@for_targets
def test_gamma(compiled, size, dtype):
    from beyondrate.ops.gamma import cuda

    (batch, time, unit), bucket = size, size[2] + 3
    u, gain, bias = (torch.zeros(shape, dtype=dtype) for shape in (size, (bucket, unit), unit))
    chain = torch.eye(bucket)
    cuda.gamma_scan(u, gain, bias, chain)
    cuda.gamma_scan_backward(u, u, gain, chain)
    cuda.gamma_scan_each(torch.zeros(batch, time, bucket, unit, dtype=dtype), bias, chain)
    cuda.gamma_scan_each_backward(u, chain)
    assert compiled == {"_scan_forward", "_scan_backward", "_scan_each_forward", "_scan_each_backward"}


@for_targets
def test_sigma_delta(compiled, size, dtype):
    from beyondrate.ops.sigma_delta import cuda

    batch, _, unit = size
    x, state, chain = torch.zeros(size, dtype=dtype), torch.zeros(batch, 8, unit, dtype=dtype), torch.eye(8)
    for use_sum, most_quanta in ((True, math.inf), (False, 3.0)):
        spikes, end, flags = cuda.sigma_delta(x, state, chain, use_sum, 0.1, 0.1, 1.0, most_quanta, use_sum)
        cuda.sigma_delta_backward(spikes, end, flags, chain, use_sum)
    assert compiled == {"_encode", "_encode_backward"}
