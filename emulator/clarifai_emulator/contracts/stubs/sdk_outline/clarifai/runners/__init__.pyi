# An outline of clarifai 12.5.0, which is under the Apache License 2.0. Written by `make docs`.
from .models.mcp_class import MCPModelClass
from .models.model_class import ModelClass
from .models.model_runner import ModelRunner
from .models.openai_class import OpenAIModelClass
