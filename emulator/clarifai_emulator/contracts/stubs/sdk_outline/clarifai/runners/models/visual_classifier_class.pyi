# An outline of clarifai 12.5.0, which is under the Apache License 2.0. Written by `make docs`.
from typing import Dict, Iterator, List, Optional
import torch
from PIL import Image as PILImage
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Concept, Frame
class VisualClassifierClass(ModelClass):

    @staticmethod
    def load_concepts_from_config(config_path: str) -> Optional[Dict[int, Dict[str, str]]]:
        ...

    @staticmethod
    def preprocess_image(image_bytes: bytes) -> PILImage:
        ...

    @staticmethod
    def video_to_frames(video_bytes: bytes) -> Iterator[Frame]:
        ...

    @staticmethod
    def process_concepts(logits: torch.Tensor, model_labels: Dict[int, str], concepts_map: Optional[Dict[int, Dict[str, str]]]=None) -> List[List[Concept]]:
        ...
