"""Who we say we are to a server: keys, passwords, and functions that give tokens.

Owns: which secret goes to which server, when a token is asked for anew, and that no text that
anybody may read holds one. `credentials` is what users write; `tokens` keeps what a function gave;
`environment` is ``OLLAMA_API_KEY``; `veil` takes secrets out of the words of servers.

They know neither endpoints nor requests: `EndpointConfig` holds credentials, and
`actors.streams.access` puts them into headers.
"""

from triollama.auth.credentials import Basic, Bearer, Token
from triollama.auth.errors import TokenError

__all__ = ["Basic", "Bearer", "Token", "TokenError"]
