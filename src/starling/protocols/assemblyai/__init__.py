"""AssemblyAI's streaming protocol, version 3: turns of words that never change (``docs/protocols/assemblyai.md``)."""
