from .errors import InputError as InputError
from .errors import PointLabelError as PointLabelError
from .labeling import annotate as annotate
from .labeling import annotate_images as annotate_images
from .methods import METHODS as METHODS
from .methods import get_method as get_method
from .notebook import Labels as Labels
from .notebook import read_image as read_image
from .types import ImageLabels as ImageLabels
from .types import TargetLabel as TargetLabel

__version__: str
