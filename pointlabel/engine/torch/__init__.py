"""The engine in torch: functions first, thin modules second. Needs the extra ``pointlabel[train]``.

Names load lazily, so that importing the package costs nothing before one of them is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
