from tidings.changes import Change as Change
from tidings.commands import Grant as Grant
from tidings.errors import ConfigError as ConfigError
from tidings.errors import EngineError as EngineError
from tidings.errors import EngineUnavailable as EngineUnavailable
from tidings.errors import Refusal as Refusal
from tidings.errors import SourceError as SourceError
from tidings.errors import TidingsError as TidingsError
from tidings.messages import Message as Message
from tidings.messages import Position as Position
from tidings.mount import Tidings as Tidings
from tidings.node.authorizer import Visitor as Visitor
from tidings.presence import Member as Member
from tidings.sources.rules import Draft as Draft
from tidings.sources.rules import FunctionRule as FunctionRule

__all__: list[str]
