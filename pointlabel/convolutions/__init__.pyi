from .gaussian import GaussianConv2d as GaussianConv2d
from .pinwheel import PinwheelGaussianConv2d as PinwheelGaussianConv2d
from .replace import find_replaced as find_replaced
from .replace import fold_convolutions as fold_convolutions
from .replace import replace_convolutions as replace_convolutions

KINDS: tuple[str, ...]
