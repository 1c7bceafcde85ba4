// Rows of build/bench.json. All ratios are in time: ours / peer, below 1 is faster.

export function median(list) {
    const s = [...list].sort((a, b) => a - b);
    const half = s.length >> 1;
    return s.length % 2 === 1 ? s[half] : (s[half - 1] + s[half]) / 2;
}

/** A row from seconds measured in turns: ours[i] and peer[i] belong to one round. */
export function timeRow(name, where, ours, peer, peerName) {
    const ratio = median(ours.map((seconds, i) => seconds / peer[i]));
    return { name, where, ours: median(ours), peer: median(peer), peer_name: peerName, ratio, unit: 's', rounds: ours.length };
}

/** A row of something that has no peer. */
export function plainRow(name, where, ours, unit, rounds = 1) {
    return { name, where, ours, peer: null, peer_name: null, ratio: null, unit, rounds };
}

/** Rounds of samplers taking turns: [{ native: seconds, peer: seconds }, ...]; then by sampler. */
export async function rounds(count, samplers) {
    const samples = Object.fromEntries(Object.keys(samplers).map((k) => [k, []]));
    for (let i = 0; i < count; i++) {
        for (const [name, sample] of Object.entries(samplers)) samples[name].push(await sample());
    }
    return samples;
}
