// Rows of build/bench.json. All ratios are in time: ours / peer, below 1 is faster.

export function median(list) {
    const s = [...list].sort((a, b) => a - b);
    const half = s.length >> 1;
    return s.length % 2 === 1 ? s[half] : (s[half - 1] + s[half]) / 2;
}

// Both sides' medians and the median of the ratios, or nothing when a round lacks the figure.
function compare(ours, peer, key) {
    const values = (list) => list.map((sample) => sample[key]);
    if ([...values(ours), ...values(peer)].includes(undefined)) return {};
    const ratio = median(ours.map((sample, i) => sample[key] / peer[i][key]));
    return { ours: median(values(ours)), peer: median(values(peer)), ratio };
}

/**
 * A row from samples { seconds, cpu? } taken in turns: ours[i] and peer[i] belong to one round.
 * ours_cpu, peer_cpu and ratio_cpu are the same in processor seconds.
 */
export function timeRow(name, where, ours, peer, peerName) {
    const wall = compare(ours, peer, 'seconds');
    const cpu = compare(ours, peer, 'cpu');
    return {
        name, where, ours: wall.ours, peer: wall.peer, peer_name: peerName, ratio: wall.ratio, unit: 's',
        ours_cpu: cpu.ours ?? null, peer_cpu: cpu.peer ?? null, ratio_cpu: cpu.ratio ?? null, rounds: ours.length,
    };
}

/** A row of something that has no peer. */
export function plainRow(name, where, ours, unit, rounds = 1) {
    return { name, where, ours, peer: null, peer_name: null, ratio: null, unit, rounds };
}

/** Calls samplers in turns: { native: sampler, peer: sampler } gives { native: [...], peer: [...] }. */
export async function rounds(count, samplers) {
    const samples = Object.fromEntries(Object.keys(samplers).map((k) => [k, []]));
    for (let i = 0; i < count; i++) {
        for (const [name, sample] of Object.entries(samplers)) samples[name].push(await sample());
    }
    return samples;
}
