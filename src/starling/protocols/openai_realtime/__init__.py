"""OpenAI's Realtime protocol as far as it transcribes: JSON events both ways (``docs/protocols/openai-realtime.md``)."""
