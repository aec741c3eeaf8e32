"""The server's interceptor: an error ends its own call, with the status and the class that belong to it."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from lightflow.core.errors import LightflowException, RequestFailed
from lightflow.runtime.rpc import errors

logger = logging.getLogger(__name__)

Handler = Any


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Wraps every method of our services; `translate` gives foreign errors a class of ours where it knows one."""

    def __init__(self, translate: Callable[[Exception], Exception]) -> None:
        self._translate = translate

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Handler]], call: Any) -> Handler:
        """The handler of a call, guarded."""
        handler = await continuation(call)
        if handler is None or not call.method.startswith("/lightflow."):
            return handler
        make = _MAKERS[handler.request_streaming, handler.response_streaming]
        behaviour = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        guarded = self._guard_stream(behaviour) if handler.response_streaming else self._guard_one(behaviour)
        return make(guarded, handler.request_deserializer, handler.response_serializer)

    def _guard_one(self, behaviour: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def guarded(request: Any, context: Any) -> Any:
            try:
                return await behaviour(request, context)
            except Exception as error:
                return await self._answer(error, context)

        return guarded

    def _guard_stream(self, behaviour: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
        async def guarded(request: Any, context: Any) -> AsyncIterator[Any]:
            try:
                async for response in behaviour(request, context):
                    yield response
            except Exception as error:
                await self._answer(error, context)

        return guarded

    async def _answer(self, error: Exception, context: Any) -> None:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        ours = self._translate(error)
        if not isinstance(ours, LightflowException):
            logger.error("a call failed by a mistake of this service", exc_info=error)
            ours = RequestFailed(f"the control service failed ({type(error).__name__}: {error}); its log says more")
        await context.abort(errors.status_of(ours), errors.details_of(ours), errors.to_metadata(ours))


_MAKERS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
