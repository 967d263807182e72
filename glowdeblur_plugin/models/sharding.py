"""Weights sharded over the processes by PyTorch's FSDP2, and the ways back to whole tensors."""

import copy
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor


def shard(network: nn.Module, device: torch.device) -> None:
    """Leave each process its share of every parameter of `network`, on `device`; the forward pass gathers what it needs.

    Each of the network's `blocks`, where it has that attribute, is gathered for itself, and all other parameters once for the
    whole pass. Of a network that comes from the CPU a device never holds more than one block beside its shares. Buffers and
    the modules held by `Frozen` stay whole on each process.

    Gradients are shared out after each micro-batch, also of those that are accumulated: keeping them whole until the step would
    take as much memory as the weights. Everything is in the weights' own precision: losses equal those of
    DistributedDataParallel up to the order of these sums.

    Every process must call this, and use the same parameters in each pass. Only `forward` gathers; other methods of the network
    see shards.
    """
    mesh = init_device_mesh(device.type, (distributed.get_world_size(),))
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and not module.weight.is_contiguous():
            module.register_forward_pre_hook(_channels_last)
    for parameter in network.parameters():
        parameter.data = parameter.data.contiguous()
    for block in getattr(network, 'blocks', ()):
        fully_shard(block, mesh=mesh)
    fully_shard(network, mesh=mesh)
    network.to(device)


def _channels_last(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    """Let a convolution go on computing with the channels last, though a gathered weight does not lie so."""
    return (inputs[0].contiguous(memory_format=torch.channels_last),)


class UnshardedCopy:
    """Makes ordinary networks, which any process may use alone, of a sharded one.

    Args:
        network: before it is sharded; its layout is kept, its weights are not.
    """

    def __init__(self, network: nn.Module) -> None:
        empty = {id(parameter): nn.Parameter(parameter.detach().to('meta'), requires_grad=False)
                 for parameter in network.parameters()}
        self._outline = copy.deepcopy(network, empty)

    def gather(self, sharded: nn.Module, device: torch.device) -> nn.Module:
        """A copy with the weights and buffers that `sharded` has now, on `device`, without gradient.

        It takes 4 bytes a float32 parameter on each process for as long as it is kept: 6.4 GB for the 1.6B network. Every
        process must call this.
        """
        values = {**dict(sharded.named_parameters()), **dict(sharded.named_buffers())}
        memo: dict[int, Tensor] = {}
        with torch.no_grad():
            for name, parameter in self._outline.named_parameters():
                full = torch.empty_like(parameter, device=device).copy_(unsharded(values[name]))
                memo[id(parameter)] = nn.Parameter(full, requires_grad=False)
            for name, buffer in self._outline.named_buffers():
                memo[id(buffer)] = values[name].clone()
        return copy.deepcopy(self._outline, memo)


def unsharded(tensor: Tensor) -> Tensor:
    """The whole of a sharded tensor, gathered by all processes, or a tensor that is whole already."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local_shards(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The parts of sharded tensors that this process holds, to be changed in place without gradient; others as they are."""
    return [tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors]


def gather_state(state: Mapping[Any, Any]) -> dict[Any, Any]:
    """A state dict, also a nested one, with whole tensors on the CPU of rank 0 in place of sharded ones, and None in place of
    them elsewhere; all else stays. Every process must call this."""
    def gathered(value: Any) -> Any:
        if isinstance(value, Mapping):
            return gather_state(value)
        if not isinstance(value, DTensor):
            return value
        full = value.full_tensor()
        return full.cpu() if distributed.get_rank() == 0 else None

    return {key: gathered(value) for key, value in state.items()}


def shard_optimizer_state(state: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The state dict of an optimizer of whole tensors with those of sharded parameters sharded alike, and others laid out in
    memory as their parameters, for `optimizer.load_state_dict`. Every process must call this with the whole.

    A fused step goes through memory as it lies, and sharded runs save tensors that do not lie with the channels last.
    """
    saved = chain.from_iterable(group['params'] for group in state['param_groups'])
    owners = dict(zip(saved, chain.from_iterable(group['params'] for group in optimizer.param_groups)))

    def like(value: Any, parameter: Tensor) -> Any:
        if not (parameter is not None and isinstance(value, Tensor) and value.shape == parameter.shape):
            return value
        if isinstance(parameter, DTensor):
            return distribute_tensor(value, parameter.device_mesh, parameter.placements)
        if value.stride() == parameter.stride():
            return value
        return torch.empty_like(parameter, dtype=value.dtype, device=value.device, requires_grad=False).copy_(value)

    entries = {key: {name: like(value, owners.get(key)) for name, value in entry.items()}
               for key, entry in state['state'].items()}
    return {**state, 'state': entries}


def broadcast_buffers(network: nn.Module) -> None:
    """Give the network's buffers on every process the values of rank 0, as DistributedDataParallel does before each step."""
    for buffer in network.buffers():
        distributed.broadcast(buffer, 0)
