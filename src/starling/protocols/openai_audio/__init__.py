"""OpenAI's transcriptions of files, as its official client has them: forms to wishes, transcripts to its shapes. Pure."""
