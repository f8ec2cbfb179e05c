"""Train detectors from points, pseudo-masks or true masks; predict with them. Needs the extra ``pointlabel[train]``.

    from pointlabel.training import TrainConfig, train
    result = train(TrainConfig(model="tiny", strategy="offline"), ["SIRST-v1"], "runs/first")

Names are loaded on first use; `TrainConfig` and the table `STRATEGIES` do not load torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
