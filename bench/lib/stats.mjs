// Rows of build/bench.json. All ratios are in time: ours / peer, below 1 is faster.

// What else a machine does only ever adds to a time, so the best of the rounds says most. Nothing when a
// round lacks the figure.
function best(samples, key) {
    const values = samples.map((s) => s[key]);
    return values.length === 0 || values.includes(undefined) ? null : Math.min(...values);
}

const divided = (a, b) => (a === null || b === null ? null : a / b);

/**
 * A row from samples { seconds, wall?, cpu? } of as many rounds: ours, the peer's, and if there is one those of
 * the same program compiled for the host. ours_cpu, peer_cpu and ratio_cpu are the same in processor
 * seconds; _wall is by the host's clock where `seconds` is by the guest's.
 */
export function timeRow(name, where, ours, peer, peerName, host = []) {
    const row = { name, where, ours: best(ours, 'seconds'), peer: best(peer, 'seconds'), peer_name: peerName };
    row.ratio = divided(row.ours, row.peer);
    row.unit = 's';
    for (const key of ['cpu', 'wall']) {
        row[`ours_${key}`] = best(ours, key);
        row[`peer_${key}`] = best(peer, key);
        row[`ratio_${key}`] = divided(row[`ours_${key}`], row[`peer_${key}`]);
    }
    row.host = best(host, 'seconds');
    row.ratio_host = divided(row.ours, row.host);
    row.rounds = ours.length;
    return row;
}

/** A row of something that has no peer. */
export function plainRow(name, where, ours, unit, rounds = 1) {
    return { name, where, ours, peer: null, peer_name: null, ratio: null, unit, rounds };
}

export function median(list) {
    const s = [...list].sort((a, b) => a - b);
    const half = s.length >> 1;
    return s.length % 2 === 1 ? s[half] : (s[half - 1] + s[half]) / 2;
}

export const geomean = (list) => Math.exp(list.reduce((sum, x) => sum + Math.log(x), 0) / list.length);

/** Calls samplers in turns, every second round backwards: { native: sampler, peer: sampler } gives { native: [...], peer: [...] }. */
export async function rounds(count, samplers) {
    const samples = Object.fromEntries(Object.keys(samplers).map((k) => [k, []]));
    for (let i = 0; i < count; i++) {
        const turn = Object.entries(samplers);
        if (i % 2 === 1) turn.reverse();
        for (const [name, sample] of turn) samples[name].push(await sample());
    }
    return samples;
}
