// Samples: 16-bit whole numbers to send, loudness to draw. Pure.

/** `samples` (Float32Array, -1 to 1, what is beyond is clipped) as 16-bit numbers. */
export function toPcm16(samples) {
  const pcm = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i += 1) {
    const value = Math.max(-1, Math.min(1, samples[i]));
    pcm[i] = Math.round(value < 0 ? value * 0x8000 : value * 0x7fff);
  }
  return pcm;
}

/** The mean of `channels` (Float32Arrays of one length). */
export function mixDown(channels) {
  if (channels.length === 1) return channels[0];
  const mono = new Float32Array(channels[0].length);
  for (const channel of channels) for (let i = 0; i < mono.length; i += 1) mono[i] += channel[i] / channels.length;
  return mono;
}

/** Loudness of `count` equal parts of `pcm` (Int16Array): 0 is -50 dBFS or less, 1 is -10 dBFS (loud speech) or more. */
export function levels(pcm, count) {
  return Array.from({ length: count }, (_, part) => {
    const from = Math.floor((part * pcm.length) / count);
    const to = Math.max(from + 1, Math.floor(((part + 1) * pcm.length) / count));
    let sum = 0;
    for (let i = from; i < to && i < pcm.length; i += 1) sum += (pcm[i] / 0x8000) ** 2;
    const decibels = 10 * Math.log10(sum / (to - from) + 1e-12);
    return Math.max(0, Math.min(1, (decibels + 50) / 40));
  });
}
