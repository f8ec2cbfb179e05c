"""Convolutions shaped for small targets, and their way into any network that has plain ones.

    from pointlabel.convolutions import replace_convolutions
    replace_convolutions(net, "gaussian")      # every 3 x 3 convolution of an nn.Module; returns how many

Names are loaded on first use; listing `KINDS` does not load torch.
"""

import lazy_loader

#: What `replace_convolutions` takes.
KINDS = ("gaussian", "pinwheel")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["KINDS"]
