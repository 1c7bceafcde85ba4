// What an idle guest translates ahead.
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Until an idle guest has done what it can do ahead: the figures then. */
export async function workedAhead(container) {
  let last = await container.getStats();
  // It pauses while the host compiles.
  for (let tries = 0, quiet = 0; tries < 600; tries++) {
    await sleep(100);
    const now = await container.getStats();
    quiet = now.busyMs - last.busyMs < 10 ? quiet + 1 : 0;
    if (quiet === 8) return now;
    last = now;
  }
  throw new Error('the guest is never idle');
}
