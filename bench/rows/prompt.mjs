// prompt: seconds from choosing "Run Container On Browser" in VS Code's command palette to the shell's
// prompt in the terminal, in a browser that has never seen the image. prompt-again: the page loaded anew,
// the image kept by the browser. bytes-before-prompt: what the server sent meanwhile, headers and all.
import { ARCH, CHROMIUM } from '../lib/paths.mjs';
import { median, plainRow } from '../lib/stats.mjs';

// Bytes that the bed's servers have written since they were watched.
function watch(servers) {
    const sockets = new Map();
    const count = (req) => {
        if (!sockets.has(req.socket)) sockets.set(req.socket, req.socket.bytesWritten);
    };
    for (const s of servers) s.prependListener('request', count);
    const sum = () => [...sockets].reduce((n, [socket, before]) => n + socket.bytesWritten - before, 0);
    return { sum, end: () => servers.forEach((s) => s.off('request', count)) };
}

async function visit(session, startContainer) {
    const sent = watch(session.bed.servers);
    try {
        const { ready } = await startContainer(session);
        return { seconds: ready / 1000, bytes: sent.sum() };
    } finally {
        sent.end();
    }
}

export default {
    names: ['prompt'],
    rounds: 3,
    async run({ rounds: count, where }) {
        if (!where[CHROMIUM]) return [];
        // Only here, because they need the VS Code bed.
        const { Session } = await import('../../test/e2e/driver.mjs');
        const { startContainer } = await import('../../test/e2e/container.mjs');
        const first = [];
        const again = [];
        for (let i = 0; i < count; i++) {
            const session = await Session.open('bench', { bed: { arch: ARCH } });
            try {
                first.push(await visit(session, startContainer));
                await session.load();
                again.push(await visit(session, startContainer));
            } finally {
                await session.close();
            }
        }
        const of = (list, key) => median(list.map((v) => v[key]));
        return [
            plainRow('prompt', CHROMIUM, of(first, 'seconds'), 's', count),
            plainRow('prompt-again', CHROMIUM, of(again, 'seconds'), 's', count),
            plainRow('bytes-before-prompt', CHROMIUM, of(first, 'bytes'), 'bytes', count),
            plainRow('bytes-before-prompt-again', CHROMIUM, of(again, 'bytes'), 'bytes', count),
        ];
    },
};
