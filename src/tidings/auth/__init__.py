"""For back ends: signs who may join a channel, seals messages, opens webhooks. Holds no server and opens no connection.

The endpoints that clients ask are in `tidings.auth.starlette` (FastAPI too) and `tidings.auth.django`; neither is
loaded before it is imported by name.
"""

from __future__ import annotations

from tidings.auth.endpoints import MemberInfo, User
from tidings.auth.signing import Auth
from tidings.auth.webhooks import WebhookEvent
from tidings.errors import ConfigError, Refusal

__all__ = ["Auth", "ConfigError", "MemberInfo", "Refusal", "User", "WebhookEvent"]
