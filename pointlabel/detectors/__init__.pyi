from .base import Detector as Detector
from .registry import DETECTORS as DETECTORS
from .registry import build as build
