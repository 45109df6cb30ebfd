"""The typed Ollama API: requests, events and answers, without any IO but the reading of images.

Imports point downward, and nothing here imports the actors, the wire or the engine:

    capabilities
    chat  generate  embed  show  transcribe
    models  _fields  _fold
    _chunk  _reply  tools  options  messages
    images  _sniff  usage  names  times  _json
    _problems
    triollama._errors

Anyone may import from here: the engine, the adapters, the simulator, an application.
"""

from ._chunk import DebugInfo, Logprob
from ._fields import FormatInput, KeepAliveInput, ThinkInput
from ._sniff import MediaKind, sniff
from .capabilities import Capability, capability_problems
from .chat import ChatChunk, ChatFold, ChatRequest, ChatResponse, decode_chat_chunk
from .embed import EmbedRequest, EmbedResponse, decode_embed
from .generate import (
    GenerateChunk,
    GenerateFold,
    GenerateRequest,
    GenerateResponse,
    decode_generate_chunk,
)
from .images import ImageInput, images_need_files
from .messages import Message, MessagesInput, ToolCall, ToolFunction, needs_files
from .models import (
    ListedModel,
    ModelDetails,
    PsResponse,
    RunningModel,
    TagsResponse,
    VersionResponse,
    decode_ps,
    decode_tags,
    decode_version,
)
from .names import ModelName, name_key, parse_name
from .options import Options, OptionsInput, OptionsWarning, doubts
from .show import ShowRequest, ShowResponse, Tensor, decode_show
from .times import duration_s, parse_time
from .tools import ToolsInput
from .usage import Usage

__all__ = [
    "Capability",
    "ChatChunk",
    "ChatFold",
    "ChatRequest",
    "ChatResponse",
    "DebugInfo",
    "EmbedRequest",
    "EmbedResponse",
    "FormatInput",
    "GenerateChunk",
    "GenerateFold",
    "GenerateRequest",
    "GenerateResponse",
    "ImageInput",
    "KeepAliveInput",
    "ListedModel",
    "Logprob",
    "MediaKind",
    "Message",
    "MessagesInput",
    "ModelDetails",
    "ModelName",
    "Options",
    "OptionsInput",
    "OptionsWarning",
    "PsResponse",
    "RunningModel",
    "ShowRequest",
    "ShowResponse",
    "TagsResponse",
    "Tensor",
    "ThinkInput",
    "ToolCall",
    "ToolFunction",
    "ToolsInput",
    "Usage",
    "VersionResponse",
    "capability_problems",
    "decode_chat_chunk",
    "decode_embed",
    "decode_generate_chunk",
    "decode_ps",
    "decode_show",
    "decode_tags",
    "decode_version",
    "doubts",
    "duration_s",
    "images_need_files",
    "name_key",
    "needs_files",
    "parse_name",
    "parse_time",
    "sniff",
]
