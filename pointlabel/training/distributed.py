"""A batch shared out over processes, so that each of them sees the whole batch come out of the detector.

All processes draw the same batch. Each runs the detector on its share, and the maps are joined to those of the whole
batch in every process: what follows, losses, weights, features, is computed by all alike, and no strategy knows how
many processes there are. Only three things talk: joining maps, batch normalisation, and sums of gradients. All three
are the sum over the processes, `all_sum`, whose adjoint is itself; so derivatives of any order are exact.

With f_r what process r computes from its own copy of the parameters, autograd gives the derivative of sum_r f_r by the
copy of this process. So an objective that all processes have alike counts with 1 / n in each, and the gradient by the
parameters is the sum over the copies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from .processes import Processes


class _AllSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """Sum over the processes."""
        # Contiguous: processes must add the same elements to each other, whatever order their memory has.
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """The same sum of the gradients; it can be differentiated again."""
        return _AllSum.apply(gradients[0])


def all_sum(values: Tensor) -> Tensor:
    """Sum of a tensor over the processes, differentiable any number of times; all processes have to call it alike."""
    return _AllSum.apply(values)


class SharedBatch:
    """Runs a detector on this process's share of each batch. With one process it changes nothing.

    Attributes
    ----------
    processes : of the run.
    is_guest : whether what runs now counts nothing. A batch of fewer samples than processes leaves some without one;
        such a process runs the first sample, so that all take part in every sum, and drops what comes out.
    """

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.is_guest = False

    def run(self, forward: Callable[[Tensor], Tensor | list[Tensor]], image: Tensor) -> list[Tensor]:
        """Maps of the whole batch, (B, ...) each, from a function of this process's share of `image` (B, ...)."""
        if self.processes.n == 1:
            return _as_list(forward(image))
        own = self.processes.share(len(image))
        self.is_guest = own.start == own.stop
        try:
            maps = _as_list(forward(image[:1] if self.is_guest else image[own]))
        finally:
            self.is_guest = False
        return [all_sum(_placed(each[: own.stop - own.start], own.start, len(image))) for each in maps]

    def gradients(
        self,
        objective: Tensor,
        parameters: Sequence[Tensor],
        *,
        create_graph: bool = False,
        retain_graph: bool | None = None,
    ) -> list[Tensor | None]:
        """Gradient of an objective that all processes have alike; the same in all of them, bit for bit.

        With several processes all gradients are summed in one buffer.

        Parameters
        ----------
        objective : ().
        parameters : those that it does not depend on, and those that are frozen, get None.
        create_graph, retain_graph : as in `torch.autograd.grad`.
        """
        n = self.processes.n
        free = [each for each in parameters if each.requires_grad]
        of_free = iter(
            torch.autograd.grad(
                objective / n if n > 1 else objective,
                free,
                create_graph=create_graph,
                retain_graph=create_graph if retain_graph is None else retain_graph,
                allow_unused=True,
            )
        )
        found = [next(of_free) if each.requires_grad else None for each in parameters]
        present = [each for each in found if each is not None]
        if n == 1 or not present:
            return found
        total = all_sum(torch.cat([each.reshape(-1) for each in present]))
        pieces = iter(total.split([each.numel() for each in present]))
        return [None if each is None else next(pieces).view(each.shape) for each in found]


#: One process.
ALONE = SharedBatch(Processes())


class WholeBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation by the statistics of the whole batch, of which this process has a share.

    Has the parameters, buffers and names of `torch.nn.BatchNorm2d`, and its values and derivatives of any order. From
    the mean m_r, variance v_r and number of pixels n_r of each share, with n = sum_r n_r,

        m = sum_r n_r m_r / n,    v = sum_r n_r (v_r + (m_r - m)^2) / n

    A batch with one number per channel has no spread and is normalised by the running statistics.
    (`torch.nn.SyncBatchNorm` runs on GPUs only and has no second derivative.)
    """

    shared: SharedBatch

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a share (B, C, H, W)."""
        if not self.training:
            return super().forward(x)
        wide = x if x.dtype == torch.float64 else x.float()
        with torch.autocast(x.device.type, enabled=False):
            mean, variance, n = self._moments(wide)
            if wide.shape[2:].numel() == 1 and int(n) == 1:  # looked at only where it can be: GPUs would wait
                return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
            self._follow(mean.detach(), variance.detach(), n)
            scale = (variance + self.eps).rsqrt()
            scale = scale if self.weight is None else scale * self.weight
            offset = -mean * scale if self.bias is None else self.bias - mean * scale
            return (wide * scale[:, None, None] + offset[:, None, None]).to(x.dtype)

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean (C,), variance (C,) and number of pixels () of the whole batch."""
        rank, n = self.shared.processes.rank, self.shared.processes.n
        variances, means = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        n_pixels = 0 if self.shared.is_guest else x.numel() // x.shape[1]
        own = torch.cat([means, variances, means.new_full((1,), n_pixels)])
        rows = all_sum(_placed(own[None], rank, n))
        means, variances, counts = rows[:, : x.shape[1]], rows[:, x.shape[1] : -1], rows[:, -1:].detach()
        total = counts.sum()
        mean = (counts * means).sum(0) / total
        variance = (counts * (variances + (means - mean).square())).sum(0) / total
        return mean, variance, total

    def _follow(self, mean: Tensor, variance: Tensor, n: Tensor) -> None:
        """Move the running statistics, the variance with n - 1 in the place of n."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean.to(self.running_mean), rate)
            self.running_var.lerp_((variance * (n / (n - 1))).to(self.running_var), rate)


def synchronise(net: nn.Module, shared: SharedBatch) -> int:
    """Let every batch normalisation of a network see the whole batch; their number.

    Parameters and buffers stay the objects they are, under their names. With one process nothing changes.
    """
    if shared.processes.n == 1:
        return 0
    found = [name for name, layer in net.named_modules() if isinstance(layer, nn.BatchNorm2d)]
    for name in found:
        plain = net.get_submodule(name)
        assert isinstance(plain, nn.BatchNorm2d)
        whole = WholeBatchNorm2d(
            plain.num_features, plain.eps, plain.momentum, plain.affine, plain.track_running_stats
        ).train(plain.training)
        whole.weight, whole.bias = plain.weight, plain.bias
        for buffer, values in plain.named_buffers(recurse=False):
            setattr(whole, buffer, values)
        whole.shared = shared
        net.set_submodule(name, whole)
    return len(found)


def _placed(values: Tensor, start: int, n: int) -> Tensor:
    """Rows `start`, `start` + 1, ... of `n` rows, the others 0."""
    rest = values.shape[1:]
    return torch.cat([values.new_zeros(start, *rest), values, values.new_zeros(n - start - len(values), *rest)])


def _as_list(maps: Tensor | list[Tensor]) -> list[Tensor]:
    return maps if isinstance(maps, list) else [maps]
