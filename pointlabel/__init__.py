"""Pseudo-masks for infrared small targets from one point each.

    from pointlabel import annotate
    labels = annotate(image, points)      # points: (N, 2) as (row, column)
    labels.mask(), labels.soft(), labels.targets[0].quality

Names are loaded on first use, so that ``import pointlabel`` costs nothing.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
