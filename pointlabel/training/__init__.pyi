from .config import TrainConfig as TrainConfig
from .load import load_run as load_run
from .loop import TrainResult as TrainResult
from .loop import train as train
from .predict import predict_images as predict_images
from .registry import STRATEGIES as STRATEGIES
from .split_lists import make_split as make_split
