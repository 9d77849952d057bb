"""Jobs of recorded audio: where queue, history, results and recordings are kept."""
