"""Networks that turn an infrared image into a map of target logits, built by name.

    from pointlabel.detectors import build
    net = build("dnanet", in_channels=1)      # an nn.Module: (B, 1, H, W) in, logits (B, 1, H, W) out

Names are loaded on first use; listing `DETECTORS` does not load torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
