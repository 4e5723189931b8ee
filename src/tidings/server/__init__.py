"""The server: uvicorn's protocol classes made fast and hard, and the ASGI application. Knows no engine, no source."""
