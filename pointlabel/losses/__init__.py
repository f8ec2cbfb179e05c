"""Losses between a detector's logits and a mask or pseudo-mask, by name or one by one.

    from pointlabel.losses import build_loss
    loss = build_loss("sls", reduction="none")
    loss(logits, target, image=image, epoch=epoch)      # (B,): one number per sample

All losses are called in the same way, so a trainer does not depend on any of them; see `Loss`. Names are loaded on
first use; listing `LOSSES` does not load torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
