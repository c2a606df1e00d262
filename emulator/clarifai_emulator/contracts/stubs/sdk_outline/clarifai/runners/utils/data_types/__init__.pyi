# An outline of clarifai 12.5.0, which is under the Apache License 2.0. Written by `make docs`.
from .data_types import JSON
from .data_types import Audio
from .data_types import Concept
from .data_types import Frame
from .data_types import Image
from .data_types import MessageData
from .data_types import NamedFields
from .data_types import NamedFieldsMeta
from .data_types import Region
from .data_types import Text
from .data_types import Video
from .data_types import cast
