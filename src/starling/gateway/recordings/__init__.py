"""Recorded audio over HTTP: Starling's own API, those of OpenAI and Deepgram, and messages to callbacks."""
